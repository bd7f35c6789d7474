"""Copy what wagate knows into Chatwoot: its contacts, or older messages. Slowly, and on from where it stopped.

What a pull hands on, an old message or a contact, comes as a delivery of its chat, behind what waits there already, and
nothing of the chat runs beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec
import trio
from msgspec.structs import replace

from wagate.errors import NotFoundError, Reject, WagateError
from wagate.events import Event, NewEvent, kinds
from wagate.hooks import ChatView, Delivery, Duration, Receipt, Target
from wagate.http import on_behalf_of
from wagate.parsing.fields import first_text
from wagate_chatwoot.agents.answers import say
from wagate_chatwoot.inboxes import App, Apps, elsewhere
from wagate_chatwoot.ledger import Place
from wagate_chatwoot.to_chatwoot import contacts, conversations, incoming
from wagate_chatwoot.to_chatwoot.people import source_id, who_of, with_all_keys

What = Literal["contacts", "messages"]

PREFIX: Final = "/pull"
"""Of the rows in the store; no inbox' own rows begin so."""
PAGE: Final = 100
TELL_EVERY: Final = 200
"""Items between two words about progress."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks for a pull to begin."""
ABANDONED: Final = 90.0
"""Seconds of silence after which another process goes on with a pull."""
LONGEST_WAIT: Final = 5.0
MESSAGES: Final = frozenset({kinds.MESSAGE, kinds.MESSAGE_ANY})
DONE: Final = frozenset({"delivered"})
GIVEN_UP: Final = frozenset({"failed", "cancelled", "expired"})
HISTORY: Final = "chatwoot.history"
"""Kind of an event that stands for an older one; ``extra[EVENT]`` is that one's id."""
CONTACT: Final = "chatwoot.contact"
"""Kind of an event that says who is in a chat."""
KINDS: Final = frozenset({HISTORY, CONTACT})
EVENT: Final = "event"
SITE: Final = "site"
"""In ``extra``: `App.site` that it is for."""


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One pull, as far as it got; a row of the plugin's store."""

    inbox: str
    what: What
    site: str = ""
    """`App.site` that it copies into."""
    run: str
    """Tells it from other pulls of the same."""
    started: float
    """Unix seconds. What was stored later comes by itself."""
    since: float = 0.0
    """Messages that are not older; Unix seconds."""
    asked: str = ""
    """``since`` as it was asked for: ``7d``."""
    after: tuple[str, ...] = ()
    """The last item seen: an event's id, or chat and account."""
    done: int = 0
    """Written."""
    skipped: int = 0
    """Known already."""
    failed: int = 0
    """Refused permanently; the deliveries say why."""
    state: Literal["running", "finished", "failed"] = "running"
    reason: str = ""
    """Why it stopped."""
    holder: str = ""
    """The process that works on it."""
    at: float = 0.0
    """When it last did, Unix seconds."""

    @property
    def key(self) -> str:
        """Of its row."""
        return f"{PREFIX}/{self.inbox}/{self.what}"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to hand on."""

    place: tuple[str, ...]
    """`Pull.after` when it is done."""
    account: str
    event: NewEvent | None
    """None: it is in Chatwoot already."""


async def start_pull(app: App, what: What, since: float = 0.0) -> tuple[Pull, bool]:
    """Have a pull begin within a second; ``since`` is how many seconds back its messages may be.

    The pull, and whether it is new: one of the kind that runs is left alone. One that stopped goes on from there.
    """
    now = app.context.clock.time()
    asked = str(Duration(since)) if what == "messages" else ""
    fresh = Pull(
        inbox=app.name,
        what=what,
        site=app.site,
        run=uuid4().hex[:12],
        started=now,
        since=now - since if asked else 0.0,
        asked=asked,
    )
    before = await read_pull(app, what)
    if before is not None and before.state == "running":
        return before, False
    if before is not None and before.state == "failed" and before.asked == asked and app.is_at(before.site):
        fresh = replace(before, state="running", reason="", holder="", at=0.0)
    await _save(app, fresh)
    return fresh, True


async def begin(app: App, what: What, since: float) -> str:
    """`start_pull` for agents: what to answer them (`wagate_chatwoot.agents.commands.StartPull`)."""
    pull, new = await start_pull(app, what, since)
    return pull_text(app, pull, "pull.started" if new else "pull.running")


async def read_pull(app: App, what: What) -> Pull | None:
    """The last pull of the kind; None: there was none."""
    row = await app.context.store.get(f"{PREFIX}/{app.name}/{what}")
    return None if row is None else msgspec.convert(row, Pull)


class Pulls:
    """Works on the pulls of all inboxes, those that a dead process left included."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps
        self._holder = uuid4().hex
        self._active: set[str] = set()

    async def run(self) -> None:
        """For ever; a task."""
        if not self._apps:
            return
        store = next(iter(self._apps.values())).context.store
        async with trio.open_nursery() as nursery:
            while True:
                for row in (await store.items(f"{PREFIX}/")).values():
                    pull = msgspec.convert(row, Pull)
                    app = self._apps.get(pull.inbox)
                    if app is not None and self._free(app, pull):
                        self._active.add(pull.key)
                        nursery.start_soon(self._work, app, pull)
                await trio.sleep(LOOK_EVERY)

    def _free(self, app: App, pull: Pull) -> bool:
        silent = abs(app.context.clock.time() - pull.at) > ABANDONED  # the clock may have been set back
        return pull.state == "running" and pull.key not in self._active and (silent or not pull.holder)

    async def _work(self, app: App, pull: Pull) -> None:
        """All of it. What goes wrong ends this pull alone."""
        try:
            if not app.is_at(pull.site):  # who asked for it is there, and is told nothing here
                reason = elsewhere(app, pull.site)
                await _save(app, replace(pull, state="failed", reason=reason))
                app.context.log.warning("chatwoot pull stopped", inbox=app.name, what=pull.what, reason=reason)
                return
            with on_behalf_of(app.client_id):
                pull = await self._all(app, replace(pull, holder=self._holder))
            await self._ended(app, replace(pull, state="finished"))
        except Exception as error:  # the edge of one pull: the others go on
            known = isinstance(error, WagateError)
            if not known:
                app.context.log.exception("chatwoot pull stopped", inbox=app.name, what=pull.what)
            reached = await read_pull(app, pull.what) or pull
            reason = str(error)[:300] if known else type(error).__name__
            await self._ended(app, replace(reached, state="failed", reason=reason))
        finally:
            self._active.discard(pull.key)

    async def _all(self, app: App, pull: Pull) -> Pull:
        rate, pages = app.inbox.pull, {"contacts": _contacts, "messages": _messages}[pull.what]
        pause = rate.seconds / rate.count if rate.count else 0.0
        while items := await pages(app, pull):
            for item in items:
                before = app.context.clock.monotonic()
                pull = await self._one(app, pull, item)
                if pull.done and pull.done % TELL_EVERY == 0 and item.event is not None:
                    await self._say(app, pull, "pull.progress_open")
                if item.event is not None:
                    await app.context.clock.sleep(before + pause - app.context.clock.monotonic())
        return pull

    async def _one(self, app: App, pull: Pull, item: Item) -> Pull:
        """Hand one on and wait until it is done: a pull is never more than one item ahead of Chatwoot."""
        now = app.context.clock.time()
        if item.event is None:
            pull = replace(pull, after=item.place, skipped=pull.skipped + 1, at=now)
        else:
            client_id = _owner(app)
            target = Target(id=app.incoming)
            event_id = await app.context.emit(item.event, client_id=client_id, account=item.account, only=[target])
            status = await self._settled(app, pull, event_id)
            count = {"done": pull.done + 1} if status in DONE else {"failed": pull.failed + 1}
            pull = replace(pull, after=item.place, at=app.context.clock.time(), **count)
        await _save(app, pull)
        return pull

    async def _settled(self, app: App, pull: Pull, event_id: str) -> str:
        """What became of it. While Chatwoot is away, this waits; the delivery itself is given up some day."""
        wait, client_id = 0.02, _owner(app)
        while True:
            try:
                status = (await app.context.deliveries.get(event_id, client_id=client_id)).status
            except NotFoundError:
                return "expired"  # out of retention
            if status in DONE | GIVEN_UP:
                return status
            now = app.context.clock.time()
            if now - pull.at > ABANDONED / 3:
                pull = replace(pull, at=now)
                await _save(app, pull)
            await app.context.clock.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def _ended(self, app: App, pull: Pull) -> None:
        await _save(app, pull)
        log = app.context.log.bind(inbox=app.name, what=pull.what, done=pull.done, skipped=pull.skipped)
        log.info("chatwoot pull ended", state=pull.state, failed=pull.failed, reason=pull.reason)
        await self._say(app, pull, f"pull.{pull.state}")

    async def _say(self, app: App, pull: Pull, key: str) -> None:
        if app.inbox.status_conversation:
            name = f"pull/{pull.what}/{pull.run}/{pull.state}/{pull.done}/{pull.at:.0f}"
            await say(app, pull_text(app, pull, key), name=name)


def pull_text(app: App, pull: Pull, key: str) -> str:
    """One of the texts ``pull.*`` about it."""
    what = app.texts("pull.messages", since=pull.asked) if pull.what == "messages" else app.texts("pull.contacts")
    values: dict[str, Any] = {"done": pull.done, "skipped": pull.skipped, "failed": pull.failed}
    return app.texts(key, what=what, reason=pull.reason, **values)


async def _messages(app: App, pull: Pull) -> Sequence[Item]:
    found = await app.context.archive.events(
        client_id=_owner(app),
        kinds=MESSAGES,
        accounts=app.inbox.accounts,
        since=datetime.fromtimestamp(pull.since, UTC),
        after=pull.after[0] if pull.after else "",
        limit=PAGE,
    )
    return [await _message(app, pull, each) for each in found if each.created_at.timestamp() <= pull.started]


async def _message(app: App, pull: Pull, event: Event) -> Item:
    entry = await app.ledger.by_whatsapp(event.account, event.message_id, [event.chat]) if event.chat else None
    known = not event.chat or (entry is not None and app.is_at(entry.site))
    made = NewEvent(
        kind=HISTORY,
        # Handed on once in a run, also when the process dies before it is written down.
        provider_id=event.id,
        variant=f"{app.name}/{pull.run}",
        chat=event.chat,
        timestamp=event.timestamp,
        extra={EVENT: event.id, SITE: app.site},
    )
    return Item(place=(event.id,), account=event.account, event=None if known else made)


async def _contacts(app: App, pull: Pull) -> Sequence[Item]:
    chat, account = pull.after or ("", "")
    found = await app.context.archive.chats(
        client_id=_owner(app), accounts=app.inbox.accounts, after=(chat, account), limit=PAGE
    )
    return [await _contact(app, pull, each) for each in found]


async def _contact(app: App, pull: Pull, talk: ChatView) -> Item:
    place = await app.ledger.place(talk.account, talk.chat)
    known = place is not None and not place.name and set(talk.aliases) <= set(place.aliases)
    made = NewEvent(
        kind=CONTACT,
        provider_id=f"{talk.account}/{talk.chat}",
        variant=f"{app.name}/{pull.run}",
        chat=talk.chat,
        contact_name=talk.name or None,
        aliases=tuple(talk.aliases),
        extra={SITE: app.site} | ({"group_name": talk.name} if talk.name else {}),
    )
    return Item(place=(talk.chat, talk.account), account=talk.account, event=None if known else made)


def _owner(app: App) -> int:
    if (client_id := app.client_id) is None:
        raise NotFoundError(f"there is no client {app.inbox.client!r} yet")
    return client_id


async def _save(app: App, pull: Pull) -> None:
    await app.context.store.set(pull.key, msgspec.to_builtins(pull))


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Write one. ChatwootError; Reject: it belongs where this inbox is no more."""
    site = first_text(delivery.event.extra, SITE)
    if not app.is_at(site):
        raise Reject(elsewhere(app, site))
    return await (_write_message if delivery.event.kind == HISTORY else _write_contact)(app, delivery)


async def _write_message(app: App, delivery: Delivery) -> Receipt | None:
    try:
        event = await app.context.archive.event(delivery.event.extra[EVENT], client_id=delivery.event.client_id)
    except NotFoundError:
        return None  # It went out of retention meanwhile.
    # As if tried before: it may stand in Chatwoot already, however young this delivery is.
    return await incoming.HANDLES[event.kind](app, replace(delivery, event=event, attempt=delivery.attempt + 1))


async def _write_contact(app: App, delivery: Delivery) -> Receipt | None:
    who = await with_all_keys(app, who_of(delivery.event, app.texts))
    async with app.memory.alone(who.account, who.keys):
        before = await conversations.known(app, who.account, who.chat)
        contact, who = await contacts.find_or_make(app, who)
        await conversations.follow_name(app, who, before)
        place = Place(
            contact=contact.id,
            source_id=source_id(app.inbox, who.account, who.chat),
            conversation=before.conversation if before is not None else None,
            name=conversations.our_name(who),
            aliases=who.aliases,
        )
        await app.ledger.put_place(who.account, who.chat, place)
        app.memory.put(who.account, who.chat, place)
    return Receipt(http_status=200, response=f'{{"contact_id":{contact.id}}}')
