"""What agents wrote while nobody took Chatwoot's webhooks: each is sent once by Chatwoot, so it is looked for.

Found messages go the webhook's own way, which knows those that it took already. What shows as failed although it got
further is put right. Deletions and *Retry* are not looked for: Chatwoot keeps no trace of when they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from wagate.errors import RequestError, StorageError
from wagate.events.acks import FAILED
from wagate.parsing.fields import first_text, mapping, whole
from wagate_chatwoot.api.errors import BusyError, ChatwootError, NotThereError
from wagate_chatwoot.inboxes import App, Apps
from wagate_chatwoot.signals import Signals
from wagate_chatwoot.to_chatwoot.acks import is_out
from wagate_chatwoot.to_chatwoot.notices import notify_again
from wagate_chatwoot.to_chatwoot.people import source_id
from wagate_chatwoot.to_whatsapp.actions import Action, Send
from wagate_chatwoot.to_whatsapp.decode import decode
from wagate_chatwoot.to_whatsapp.webhook import accept

EVERY: Final = 600.0
"""Seconds between two looks."""
SOON: Final = 60.0
"""Seconds until the second one: Chatwoot posts some seconds later what happened while we were away."""
OLDEST: Final = 86_400.0
"""Seconds; what agents wrote longer ago is not sent any more, and shows as failed."""
SLACK: Final = 300.0
"""Seconds that Chatwoot's clock may be away from ours."""
PACE: Final = 0.2
"""Seconds between two requests."""
PAGE: Final = 25
"""Conversations that Chatwoot gives at once."""
MOST_PAGES: Final = 40
MOST_LISTS: Final = 20
"""Of 100 messages of one conversation."""
WORDS: Final = {0: "incoming", 1: "outgoing", 2: "activity", 3: "template"}
"""``message_type`` in lists → in webhooks."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far an inbox was looked through; a row of the plugin's store."""

    since: float
    """Unix seconds of the first look: what was written before is not ours to send."""
    at: float
    """Of the last one that came to its end."""
    seen: int = 0
    """The greatest id of a message that was seen; ids rise over the whole server."""
    safe: int = 0
    """The same of the look before. Only what came after is asked for: ids are given out a moment before the rows."""
    site: str = ""
    """`App.site` that was looked through: a table that names another inbox begins anew, also when it comes back."""


class Reconciler:
    """Looks through all inboxes, at the start and from time to time."""

    def __init__(self, apps: Apps, signals: Signals) -> None:
        self._apps = apps
        self._signals = signals

    async def run(self) -> None:
        """For ever; a task."""
        pause = SOON
        while apps := list(self._apps.values()):
            for app in apps:
                await self._look(app)
            await apps[0].context.clock.sleep(pause)
            pause = EVERY

    async def _look(self, app: App) -> None:
        try:
            found = await reconcile(app, self._signals)
            await put_ticks_right(app)
        except ChatwootError as error:
            app.context.log.info("chatwoot not looked through", inbox=app.name, reason=error.reason)
            if isinstance(error, BusyError):
                await app.context.clock.sleep(error.after)
        except (RequestError, StorageError) as error:
            app.context.log.warning("chatwoot not looked through", inbox=app.name, reason=str(error))
        else:
            if found:
                app.context.log.info("chatwoot messages found", inbox=app.name, count=found)


async def reconcile(app: App, signals: Signals) -> int:
    """Take in what agents wrote since the last look and no webhook brought; how many messages.

    ChatwootError, StorageError: the next look begins where this one did.
    """
    now = app.context.clock.time()
    mark = await _begun(app, now)
    found, seen = 0, mark.seen
    oldest = max(mark.since, now - OLDEST)
    # A mark that is still to come is of a clock that was ahead: then all is looked at again, and nothing sent twice.
    since = mark.at - SLACK if mark.at <= now else oldest
    for conversation in await _active(app, since):
        for message in await _messages(app, int(conversation["id"]), mark.safe, oldest):
            seen = max(seen, int(message["id"]))
            if _missing(message, oldest) and await _unknown(app, message):
                found += await _take(app, signals, conversation, message)
            else:
                await _put_right(app, message)
    done = Mark(since=mark.since, at=now, seen=seen, safe=mark.seen, site=app.site)
    await app.context.store.set(_key(app), msgspec.to_builtins(done))
    return found


async def _put_right(app: App, message: Mapping[str, Any]) -> None:
    """Have shown again how far a message got that Chatwoot calls failed, if it did not fail."""
    entry = await app.ledger.by_message(int(message["id"])) if message.get("status") == FAILED else None
    if entry is None or not await is_out(app, entry):
        return
    if app.memory.may_show_again(entry.message, entry.status):
        await notify_again(app, entry)


async def put_ticks_right(app: App) -> None:
    """The same for what was ticked lately, however old it is: the webhook of a tick, too, may have found nobody."""
    ticked: dict[int, set[int]] = {}
    for entry in await app.ledger.ticked():
        if app.reaches(entry.site):
            ticked.setdefault(entry.conversation, set()).add(entry.message)
    for conversation, left in ticked.items():
        while left:
            await app.context.clock.sleep(PACE)
            try:
                rows = await app.chatwoot.messages(conversation, after=min(left) - 1)
            except NotThereError:
                break  # deleted
            for row in rows:
                if row.get("id") in left:
                    await _put_right(app, row)
            last = max((whole(row.get("id")) or 0 for row in rows), default=max(left))
            left -= {each for each in left if each <= last}  # a list has 100 messages


async def missed(app: App, send: Send) -> list[Send]:
    """What agents wrote in a message's conversation, until now, and no webhook brought, oldest first; ChatwootError."""
    mark, now = await mark_of(app), app.context.clock.time()
    # What the last look saw was taken in; before the first one, only what came since we run is ours to send.
    oldest = max(now - OLDEST, float(int(app.memory.started)) if mark is None else max(mark.since, mark.at - SLACK))
    found = []
    for message in await _back_to(app, send.where.conversation, oldest):
        if _missing(message, oldest=oldest) and await _unknown(app, message):
            action = _action(app, {"id": send.where.conversation}, message, send.where.source)
            if isinstance(action, Send):
                found.append(msgspec.structs.replace(action, where=send.where))
    return found


async def _back_to(app: App, conversation: int, oldest: float) -> list[dict[str, Any]]:
    """The latest messages of a conversation, back to a moment, oldest first."""
    found, before = list[dict[str, Any]](), None
    for _ in range(MOST_LISTS):
        rows = await app.chatwoot.messages(conversation, before=before)
        rows = sorted((row for row in rows if whole(row.get("id"))), key=lambda row: int(row["id"]))
        found[:0] = rows
        if not rows or _created(rows[0]) < oldest:
            break
        before = int(rows[0]["id"])
    return found


async def _active(app: App, since: float) -> list[dict[str, Any]]:
    """Conversations in which something happened since, the latest first."""
    found: list[dict[str, Any]] = []
    query = {"inbox_id": app.inbox.inbox_id, "status": "all", "assignee_type": "all"}
    for page in range(1, MOST_PAGES + 1):
        await app.context.clock.sleep(PACE)
        answer = mapping(await app.chatwoot.call("GET", "conversations", query=query | {"page": page}))
        rows = mapping(answer.get("data")).get("payload")
        fresh = [row for row in map(mapping, rows if isinstance(rows, list) else []) if _moment(row) >= since]
        found += [row for row in fresh if whole(row.get("id"))]
        if len(fresh) < PAGE:
            break
    return found


async def _messages(app: App, number: int, safe: int, oldest: float) -> list[dict[str, Any]]:
    """A conversation's messages after an id, oldest first; without one, those since ``oldest``."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(MOST_LISTS):
        await app.context.clock.sleep(PACE)
        edge = (max(found) if safe else min(found)) if found else safe
        if safe:
            rows = await app.chatwoot.messages(number, after=edge)
        else:
            rows = await app.chatwoot.messages(number, before=edge or None)
        fresh = {key: row for row in rows if (key := whole(row.get("id")) or 0) > safe and key not in found}
        found |= fresh
        if not fresh or (not safe and _created(fresh[min(fresh)]) < oldest):
            break
    return [found[key] for key in sorted(found)]


async def mark_of(app: App) -> Mark | None:
    """How far the inbox was looked through; None: not yet. That of another one which the table named does not count."""
    row = await app.context.store.get(_key(app))
    mark = None if row is None else msgspec.convert(row, Mark)
    return mark if mark is not None and app.is_at(mark.site) else None


async def _begun(app: App, now: float) -> Mark:
    """The same. The first one is written down at once, so that a look that fails moves nothing."""
    mark = await mark_of(app)
    if mark is None:
        mark = Mark(since=float(int(now)), at=now, site=app.site)  # lists show whole seconds
        await app.context.store.set(_key(app), msgspec.to_builtins(mark))
    return mark


def _missing(message: Mapping[str, Any], oldest: float) -> bool:
    """Whether it may be an agent's, and is not too old."""
    return _created(message) >= oldest and not message.get("source_id")


async def _unknown(app: App, message: Mapping[str, Any]) -> bool:
    number = int(message["id"])
    return await app.ledger.handed(number) is None and await app.ledger.by_message(number) is None


async def _take(app: App, signals: Signals, conversation: Mapping[str, Any], message: Mapping[str, Any]) -> int:
    action = _action(app, conversation, message, await _source(app, conversation, message))
    # Commands are for the moment in which they are written.
    return int(isinstance(action, Send) and await accept(app, signals, action, delivery="") == "stored")


def _action(app: App, conversation: Mapping[str, Any], message: Mapping[str, Any], source: str) -> Action:
    """In the form of a webhook, which is read by the one who knows how."""
    document = {
        **message,
        "event": "message_created",
        "message_type": WORDS.get(whole(message.get("message_type")) or 0),
        "conversation": {**conversation, "contact_inbox": {"source_id": source}},
        "account": {"id": app.inbox.account_id},
    }
    return decode(msgspec.json.encode(document), app.inbox)


def _key(app: App) -> str:
    return f"{app.name}/reconciled"


async def _source(app: App, conversation: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """The contact's source_id; lists show it in some messages only. '' when Chatwoot doesn't say which it is."""
    known = await app.ledger.chat_of(whole(conversation["id"]) or 0)
    if known is not None:
        account, chat = known
        return source_id(app.inbox, account, chat) if account else chat
    shown = first_text(mapping(mapping(message.get("conversation")).get("contact_inbox")), "source_id")
    person = whole(mapping(mapping(conversation.get("meta")).get("sender")).get("id"))
    if shown or person is None:
        return shown
    contact = await app.chatwoot.contact(person)
    there = contact.contact_inboxes if contact is not None else []
    ours = [each for each in there if mapping(each.get("inbox")).get("id") == app.inbox.inbox_id]
    return first_text(ours[0], "source_id") if len(ours) == 1 else ""


def _created(message: Mapping[str, Any]) -> float:
    created = message.get("created_at")
    return float(created) if isinstance(created, int | float) else 0.0


def _moment(row: Mapping[str, Any]) -> float:
    last = row.get("last_activity_at")
    return float(last) if isinstance(last, int | float) else 0.0
