"""Who somebody is, before an event is stored: one key for one person, so that all that follows goes to one chat.

A person is known by the number when it is known. What comes under a LID or another id that is no number is taken in
under the number; the id stays as an alias.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import structlog
import trio
from msgspec.structs import replace

from wagate.clock import Clock
from wagate.errors import WagateError
from wagate.events import NewEvent, kinds
from wagate.http import HttpError, on_behalf_of
from wagate.inbound.ignore import Owned
from wagate.parsing.chats import LID, OPAQUE, USER
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.directory import Account
from wagate.storage.threads.contacts import ContactKey, ContactRow, UniqueId, contacts_of, learn_people, numbers_by_ids

PATIENCE: Final = 2.0
"""Seconds that a webhook waits for its provider to say whose LID it is."""
AT_ONCE: Final = 8
NOT_KNOWN: Final = 600.0
"""Seconds after which a provider that knew no number is asked again."""
AWAY: Final = 60.0
"""The same for one that did not answer."""
MOST: Final = 10_000

_ABOUT: Final = frozenset({kinds.MESSAGE_ACK, kinds.MESSAGE_REACTION, kinds.MESSAGE_EDITED, kinds.MESSAGE_REVOKED})
"""Kinds whose ``message_id`` is another message's."""
_ALSO: Final = (f"@{LID}", f"@{OPAQUE}")
"""How the keys end of people who may have a number."""

log = structlog.get_logger("wagate.people")


class People:
    """Asks the tables, then where the messages are that an event names, then the provider."""

    def __init__(self, database: Database, providers: Providers, clock: Clock) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._limit = trio.CapacityLimiter(AT_ONCE)
        self._asking: dict[tuple[str, str], trio.Event] = {}
        self._answers: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        """(account's id, LID) → the number's key or '', and until when that holds."""

    async def recognize(self, owned: Sequence[Owned]) -> list[Owned]:
        """The events under the numbers of the people they are from. StorageError."""
        asked = {(account.client_id, key) for account, event in owned for key in _ids_in(event)}
        if not asked:
            return list(owned)
        known = await self._database.read(contacts_of, asked)
        told = await self._told_by_ids([each for each in owned if not _has_number(each, known)])
        return [(account, await self._recognized(account, event, known, told)) for account, event in owned]

    async def _told_by_ids(self, owned: Sequence[Owned]) -> dict[ContactKey, str]:
        """Numbers behind LIDs in whose chats a message shows up, or is answered, that is in the chat with a number."""
        named = [(account, event.chat, id_) for account, event in owned for id_ in _named_in(event)]
        if not named:
            return {}
        ids = {UniqueId(account.client_id, account.id, id_) for account, _, id_ in named}
        phones = await self._database.read(numbers_by_ids, ids)
        told = {
            (account.client_id, lid): phone
            for account, lid, id_ in named
            if (phone := phones.get(UniqueId(account.client_id, account.id, id_)))
        }
        if told:
            await self._database.write(learn_people, told, now=self._clock.now())
        return told

    async def of(self, key: str, *, client_id: int, account: Account | None) -> ContactRow | None:
        """Who has this key; the account's provider is asked about a LID of which no number is known. StorageError."""
        row = (await self._database.read(contacts_of, [(client_id, key)])).get((client_id, key))
        if (row is not None and row.phone) or account is None or not key.endswith(f"@{LID}"):
            return row
        phone = await self.number_of(key, account)
        if not phone:
            return row
        other = (await self._database.read(contacts_of, [(client_id, phone)])).get((client_id, phone))
        keys = sorted({key, phone, *(row.keys if row else ()), *(other.keys if other else ())})
        return ContactRow(id=(other or row or _NOBODY).id, name=(other or row or _NOBODY).name, keys=keys, phone=phone)

    async def _recognized(
        self, account: Account, event: NewEvent, known: dict[ContactKey, ContactRow], told: dict[ContactKey, str]
    ) -> NewEvent:
        numbers: dict[str, str] = {}
        for key in _ids_in(event):
            row = known.get((account.client_id, key))
            phone = (row.phone if row is not None else "") or told.get((account.client_id, key), "")
            if not phone and key == event.chat and key.endswith(f"@{LID}"):
                phone = await self.number_of(key, account)
            if phone:
                numbers[key] = phone
        return _renamed(event, numbers) if numbers else event

    async def number_of(self, lid: str, account: Account) -> str:
        """The key of the number behind a LID, as the account's provider says; '' when it does not know. Cached."""
        provider = self._providers.get(account.provider)
        if provider is None or provider.number_of is None:
            return ""
        place = (account.id, lid)
        with trio.move_on_after(PATIENCE):
            if (asking := self._asking.get(place)) is not None:
                await asking.wait()
            if (answer := self._answers.get(place)) is not None and answer[1] > self._clock.monotonic():
                return answer[0]
            return await self._ask(place, account)
        self._keep(place, "", AWAY)
        log.info("number of a LID not told in time", account=account.name, seconds=PATIENCE)
        return ""

    async def _ask(self, place: tuple[str, str], account: Account) -> str:
        provider = self._providers.need(account.provider)
        assert provider.number_of is not None  # asked only where it can be
        done = self._asking[place] = trio.Event()
        try:
            async with self._limit:
                with on_behalf_of(account.client_id):
                    found = await provider.number_of(place[1], self._providers.account(account))
            phone = found if found.endswith(f"@{USER}") else ""
            self._keep(place, phone, NOT_KNOWN)
        except (WagateError, HttpError) as error:
            phone = ""
            self._keep(place, "", AWAY)
            log.info("number of a LID not told", account=account.name, reason=str(error)[:200])
        finally:
            done.set()
            if self._asking.get(place) is done:
                del self._asking[place]
        return phone

    def _keep(self, place: tuple[str, str], phone: str, seconds: float) -> None:
        self._answers[place] = (phone, self._clock.monotonic() + seconds)
        self._answers.move_to_end(place)
        while len(self._answers) > MOST:
            self._answers.popitem(last=False)


_NOBODY: Final = ContactRow(id="", name="", keys=[])


def _ids_in(event: NewEvent) -> list[str]:
    """Keys of people that are no numbers: of the chat, and of who wrote in it."""
    sides = (event.chat,) if event.from_me else (event.chat, event.sender)
    return [key for key in dict.fromkeys(sides) if key.endswith(_ALSO)]


def _has_number(owned: Owned, known: dict[ContactKey, ContactRow]) -> bool:
    account, event = owned
    row = known.get((account.client_id, event.chat))
    return row is not None and bool(row.phone)


def _named_in(event: NewEvent) -> list[str]:
    """Ids, unique over all chats, of messages in this one: of itself if it is ours, of what it is about, or answers."""
    if not event.chat.endswith(f"@{LID}"):
        return []
    own = event.from_me or event.kind in _ABOUT
    found = (bare_id(each) for each in ((event.message_id if own else ""), event.reply_to or ""))
    return [each for each in found if is_unique(each)]


def _renamed(event: NewEvent, numbers: dict[str, str]) -> NewEvent:
    """The event under the numbers; the other key of who wrote it is an alias."""
    sender = event.sender if event.from_me else numbers.get(event.sender, event.sender)
    aliases = dict.fromkeys(event.aliases)
    if sender != event.sender:
        aliases[event.sender] = None
    return replace(
        event,
        chat=numbers.get(event.chat, event.chat),
        sender=sender,
        recipient=numbers.get(event.recipient, event.recipient) if event.from_me else event.recipient,
        aliases=tuple(key for key in aliases if key != sender),
    )
