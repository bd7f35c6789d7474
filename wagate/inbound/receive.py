"""Take in one webhook: dedupe, route, store, enqueue."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee
from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.events import Event, NewEvent, kinds
from wagate.hooks.contracts import Target
from wagate.inbound.route import Router
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.parsing.numbers import longest_form
from wagate.storage.database import Database, apart, bulk
from wagate.storage.events.intake import Intake, Route, Stored, store
from wagate.storage.events.named import QUOTING
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.refusals import STRANGER

Ring = Callable[[Sequence[Stored]], None]
"""Tell the consumers what was stored."""
ALIASES = "aliases"
"""In ``extra`` of a stored event: the other keys of who wrote it (`NewEvent.aliases`)."""
Recognize = Callable[[Sequence[tuple[Account, NewEvent]]], Awaitable[list[tuple[Account, NewEvent]]]]
"""Say who the people in events are."""
SessionChanged = Callable[[str], None]
"""Tell who watches that the session state of this account changed."""

_ABOUT = frozenset({kinds.MESSAGE_ACK, kinds.MESSAGE_REACTION, kinds.MESSAGE_EDITED, kinds.MESSAGE_REVOKED})
"""Kinds whose ``message_id`` is another message's."""
_SHORTENING = frozenset({"session", "waha"})
"""Providers of engines of several makes, some of which leave the rest of ids out."""
OURSELVES = "wagate"
"""Provider of events that no WhatsApp provider brought."""


class Receiver:
    """The way in for every event, whoever brings it."""

    def __init__(
        self,
        database: Database,
        router: Router,
        clock: Clock,
        *,
        ring: Ring,
        session_changed: SessionChanged,
        recognize: Recognize,
    ) -> None:
        """``recognize``: see `wagate.inbound.people.People`."""
        self._recognize = recognize
        self._database = database
        self._router = router
        self._clock = clock
        self._ring = ring
        self._session_changed = session_changed

    async def receive(self, account: Account, events: Sequence[NewEvent], raw: bytes) -> list[Stored]:
        """Store events of one request, in their order, in one commit; one Stored for each.

        When this returns they are committed with fsync, and the consumers know. Raises StorageError: nothing stored.
        """
        return await self.receive_all([(account, event) for event in events], raw)

    async def receive_all(self, owned: Sequence[tuple[Account, NewEvent]], raw: bytes) -> list[Stored]:
        """The same for events of several accounts: still one commit."""
        known = await self._recognize(owned)
        now = self._clock.now()
        return await self.store([self._prepare(account, event, raw, now) for account, event in known])

    async def archive(self, account: Account, event: NewEvent, raw: bytes) -> Stored:
        """Store one event and deliver it to nobody."""
        [(account, event)] = await self._recognize([(account, event)])
        intake = self._prepare(account, event, raw, self._clock.now())
        [stored] = await self.store([msgspec.structs.replace(intake, routes=())])
        return stored

    async def archive_past(self, account: Account, events: Sequence[NewEvent]) -> list[Stored]:
        """Store messages of the past as if they had been stored then, and deliver them to nobody."""
        known = await self._recognize([(account, event) for event in events])
        now = self._clock.now()
        intakes = [
            self._prepare(owner, event, b"", min(event.timestamp or now, now))
            for owner, event in sorted(known, key=lambda each: each[1].timestamp or now)
        ]
        return await self.store([replace(each, routes=(), event=_dated(each.event), past=True) for each in intakes])

    async def store(self, intakes: Sequence[Intake]) -> list[Stored]:
        """Store prepared events in one commit and tell the consumers."""
        if not intakes:
            return []
        stored = await self._database.write_bulk(store_requests, intakes)
        self._ring(stored)
        for intake, each in zip(intakes, stored, strict=True):
            if each.session_changed:
                self._session_changed(intake.event.account)
        return stored

    def _prepare(self, account: Account, new: NewEvent, raw: bytes, now: datetime) -> Intake:
        event = stored_event(account, new, now)
        return Intake(
            event=event,
            dedupe_key=dedupe_key(account, new),
            former_keys=former_keys(account, new),
            named_keys=named_keys(account, new),
            raw=new.raw.body if new.raw is not None else raw,
            session=new.session,
            routes=() if account.source == STRANGER else self._router.routes(event),
            aliases=new.aliases,
            reference=new.reference,
            epoch=self._database.epoch,
        )

    def prepare_for(self, account: Account, new: NewEvent, routes: Callable[[Event], tuple[Route, ...]]) -> Intake:
        """Prepare an event of our own for the routes given."""
        event = stored_event(account, new, self._clock.now())
        key = dedupe_key(account, new)
        return Intake(event=event, dedupe_key=key, raw=b"", session=None, routes=routes(event))


@apart
@bulk
def store_requests(database: peewee.Database, requests: list[Sequence[Intake]]) -> list[list[Stored]]:
    """Store the events of many requests at once; the results request by request."""
    flat = iter(store(database, [intake for request in requests for intake in request]))
    return [[next(flat) for _ in request] for request in requests]


def dedupe_key(account: Account, new: NewEvent, *, chat: str | None = None) -> str:
    """Unique per (account, kind, bare id, chat, variant); '' when the item has no id and never is a duplicate.

    A number counts as one in both of its forms. An engine may count ids in each chat. Of our own messages a long id is
    enough: their echo's chat may be written in another way than the send's.
    """
    if not new.provider_id:
        return ""
    owner = account.id or f"{account.client_id} {account.name}"
    bare = bare_id(new.provider_id)
    place = "" if new.from_me and is_unique(bare) else new.chat if chat is None else chat
    parts = "\x1f".join((owner, new.dedupe_kind or new.kind, bare, new.variant, longest_form(place)))
    return hashlib.blake2b(parts.encode("utf-8", "replace"), digest_size=16).hexdigest()


def former_keys(account: Account, new: NewEvent) -> tuple[str, ...]:
    """What `dedupe_key` was as long as only another key of the person was known."""
    if new.sender != new.chat or new.from_me or not new.provider_id:
        return ()
    return tuple(dedupe_key(account, new, chat=alias) for alias in new.aliases)


def named_keys(account: Account, new: NewEvent) -> tuple[str, ...]:
    """The `dedupe_key` of the message that an event quotes, or is about: with its chat, and as one of ours.

    () where ids have one form only. An engine's session may shorten every id of an event.
    """
    name = (new.reply_to or "") if new.kind in QUOTING else new.message_id if new.kind in _ABOUT else ""
    bare = bare_id(name)
    one_form = all(bare_id(each) == each for each in (name, new.provider_id, new.message_id))
    if not name or (one_form and account.provider not in _SHORTENING):
        return ()
    places = dict.fromkeys((new.chat, *(new.aliases if new.sender == new.chat else ())))
    quoted = NewEvent(kind=kinds.MESSAGE, provider_id=bare)
    ours = (dedupe_key(account, replace(quoted, from_me=True)),) if is_unique(bare) else ()
    return (*(dedupe_key(account, quoted, chat=place) for place in places), *ours)


def stored_event(account: Account, new: NewEvent, now: datetime) -> Event:
    """Give a new event its id, its owner and its times."""
    return Event(
        id=str(uuid7()),
        kind=new.kind,
        account=account.name,
        account_id=account.id,
        phone=account.phone,
        provider=account.provider,
        client_id=account.client_id,
        tenant=account.tenant,
        created_at=now,
        timestamp=new.timestamp or now,
        chat=new.chat,
        sender=new.sender,
        recipient=new.recipient,
        message_id=new.message_id,
        type=new.type,
        content=new.content,
        from_me=new.from_me,
        contact_name=new.contact_name,
        media=new.media,
        reply_to=new.reply_to,
        extra=_extra(new),
        metadata=account.metadata,
    )


def _extra(new: NewEvent) -> dict[str, Any]:
    extra = new.extra | ({ALIASES: list(new.aliases)} if new.aliases else {})
    own = "" if new.provider_id.startswith(f"{new.message_id}/") else new.provider_id
    if new.kind == kinds.MESSAGE_REACTION and own and isinstance(reaction := extra.get("reaction"), dict):
        extra |= {"reaction": reaction | {"id": own}}
    return extra


def _dated(event: Event) -> Event:
    """With an id of its time: conversations are in the order of ids."""
    return replace(event, id=str(uuid7(nanoseconds=int(event.created_at.timestamp() * 1_000_000) * 1000)))


class Emitter:
    """Stores an event of a client, of one of its accounts or of none."""

    def __init__(self, receiver: Receiver, router: Router, live: LiveDirectory) -> None:
        self._receiver = receiver
        self._router = router
        self._live = live

    async def emit(
        self,
        event: NewEvent,
        *,
        client_id: int,
        account: str = "",
        handler: str | None = None,
        only: Sequence[Target] | None = None,
    ) -> str:
        """Stored and committed when this returns; the event's id. ``only``: just to these targets of ``handler``."""
        owner = self._live.now.accounts.get(account)
        if owner is None or owner.client_id != client_id:
            owner = self._nobody(client_id)
        if only is None or handler is None:
            [stored] = await self._receiver.receive(owner, [event], b"")
        else:
            intake = self._receiver.prepare_for(owner, event, lambda each: self._router.routes_to(handler, only, each))
            [stored] = await self._receiver.store([intake])
        return stored.event_id

    def prepare_about(self, event: NewEvent, *, client_id: int, without: str) -> Intake | None:
        """An event about a target (``<handler>:<target>``) for the client's other targets, to be stored.

        None: the client was deleted.
        """

        def others(stored: Event) -> tuple[Route, ...]:
            return tuple(route for route in self._router.routes(stored) if route.target_id != without)

        now = self._live.now
        if client_id not in now.clients:
            return None
        # What sends has the id of its account as its own.
        account = now.by_id.get(without.partition(":")[2]) or self._nobody(client_id)
        return self._receiver.prepare_for(account, event, others)

    def _nobody(self, client_id: int) -> Account:
        client = self._live.now.clients[client_id]
        return Account(
            id="",
            name="",
            client_id=client_id,
            tenant=client.slug,
            provider=OURSELVES,
            phone="",
            metadata={},
            ignore={},
            webhook_secret="",
            source="",
        )
