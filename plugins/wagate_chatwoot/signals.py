"""What is told at once and may be lost: typing, both ways, and what was seen.

That a customer types has a target of its own, ``typing/<inbox>``: what is dropped there must not look like something
that the inbox took.
"""

from __future__ import annotations

from typing import Any, Final

import trio

from wagate.errors import RequestError, SendError
from wagate.events import Event, kinds
from wagate.hooks import Delivery, DeliveryFilter, PluginContext, Signal
from wagate.http import on_behalf_of
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.api.errors import ChatwootError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_chatwoot.conversations import known
from wagate_chatwoot.to_whatsapp.actions import Assigned, Typing, Watching
from wagate_chatwoot.to_whatsapp.chat_of import Chat, find_chat

MOST = 200
"""That wait; more are dropped."""
AT_ONCE = 16
PATIENCE = 5.0
"""Seconds for one."""
WATCH_AGAIN = 1800.0
"""Seconds after which a chat's presence is asked for anew: a provider that restarted has forgotten it."""
MOST_WATCHED = 500
"""Chats of an inbox within that time."""
LOOK_BACK = 20
"""Events of a chat among which its last message is looked for."""

_WRITTEN = frozenset({kinds.MESSAGE, kinds.MESSAGE_ANY})
Cause = Typing | Assigned | Watching
TYPING: Final = "typing"
"""First part of the target."""
TYPING_OLDEST: Final = 15.0
"""Seconds after which nobody need know any more."""
SHOWN_AGAIN: Final = 8.0
"""Seconds until it is shown again that somebody still types."""
_ON: Final = frozenset({"typing", "recording", "composing"})
_OFF: Final = frozenset({"paused", "available", "online", "offline", "unavailable"})
PEOPLE: Final = ("@c.us", "@lid", "@user")


class Signals:
    """Takes signals from webhooks, which must not wait for a provider, and tells them in the background."""

    def __init__(self, context: PluginContext) -> None:
        self._log = context.log
        self._in, self._out = trio.open_memory_channel[tuple[App, Cause]](MOST)
        self._limit = trio.Semaphore(AT_ONCE)

    def offer(self, app: App, what: Cause) -> bool:
        """Tell it soon; False: too many wait already."""
        try:
            self._in.send_nowait((app, what))
        except trio.WouldBlock:
            return False
        return True

    async def run(self) -> None:
        """Tell them, for ever; a task."""
        async with trio.open_nursery() as nursery:
            async for app, what in self._out:
                await self._limit.acquire()
                nursery.start_soon(self._send, app, what)

    async def _send(self, app: App, what: Cause) -> None:
        try:
            with trio.move_on_after(PATIENCE), on_behalf_of(app.client_id):
                await send_signal(app, what)
        except Exception as error:  # noqa: BLE001  (the edge of a task: one signal less)
            self._log.warning("signal not told", inbox=app.name, error=type(error).__name__)
        finally:
            self._limit.release()


def watch(signals: Signals, app: App, event: Event) -> None:
    """Have a provider that tells it when asked tell when the customer of a chat types, now that agents have it open."""
    if not app.inbox.show_typing or event.kind not in _WRITTEN or not event.chat.endswith(PEOPLE):
        return
    if app.memory.watches(event.account, event.chat, again=WATCH_AGAIN, most=MOST_WATCHED):
        signals.offer(app, Watching(account=event.account, chat=event.chat))


async def send_signal(app: App, what: Cause) -> None:
    """One signal."""
    if isinstance(what, Watching):
        await signal(app, Chat(account=what.account, key=what.chat), "watch")
        return
    chat = await find_chat(app, what.where)
    if chat is None:
        return
    if isinstance(what, Typing):
        await signal(app, chat, "typing" if what.on else "paused")
    elif app.inbox.mark_read_assigned:
        await mark_seen(app, chat)


async def mark_seen(app: App, chat: Chat) -> None:
    """Show blue ticks for what the customer wrote last; once for each message."""
    last = await _last_message(app, chat)
    key = f"{app.name}/seen/{chat.account or ''}/{chat.key}"
    if last and await app.context.store.get(key) != last:
        await app.context.store.set(key, last)
        await signal(app, chat, "seen", last)


async def signal(app: App, chat: Chat, kind: str, *message_ids: str) -> None:
    """Tell one, for at most `PATIENCE`. A provider that can't, or does not take it, is as good: nothing hangs on it."""
    client_id = app.client_id
    if client_id is None:
        return
    with trio.move_on_after(PATIENCE):
        try:
            told = Signal(kind=kind, chat=chat.key, message_ids=message_ids)
            await app.context.messages.signal(told, client_id=client_id, account=chat.account)
        except (RequestError, SendError) as error:
            app.context.log.debug("signal not taken", inbox=app.name, kind=kind, reason=str(error))


async def _last_message(app: App, chat: Chat) -> str:
    """The provider's id of the customer's last message; '' when there is none among the last events."""
    which = DeliveryFilter(handler=app.context.name, target=app.incoming, account=chat.account, chat=chat.key)
    page = await app.context.deliveries.page(which, client_id=app.client_id, limit=LOOK_BACK)
    found = (each.event for each in page.data if each.event.kind == kinds.MESSAGE and not each.event.from_me)
    return next((event.message_id for event in found if event.message_id), "")


def wants_typing(app: App, event: Event) -> bool:
    """Whether it says that the one customer of a chat begins or ends typing. Pure."""
    return (
        event.kind == kinds.PRESENCE_UPDATE
        and app.inbox.show_typing
        and event.chat.endswith(PEOPLE)
        and typing_in(event.extra) is not None
    )


def typing_in(extra: dict[str, Any]) -> bool | None:
    """Whether somebody types; None: it does not say. Pure."""
    presences = extra.get("presences")
    rows = [mapping(each) for each in presences] if isinstance(presences, list) else []
    states = {first_text(row, "lastKnownPresence", "presence").lower() for row in rows}
    return True if states & _ON else False if states & _OFF else None


async def show_typing(app: App, delivery: Delivery) -> None:
    """Show it, if there is a conversation to show it in, and it is news."""
    event, now = delivery.event, app.context.clock
    on, chat = typing_in(event.extra) is True, (event.account, event.chat)
    if now.time() - event.created_at.timestamp() > TYPING_OLDEST or not app.memory.types(
        *chat, on=on, again=SHOWN_AGAIN
    ):
        return
    place = await known(app, *chat)
    if place is None or place.conversation is None:
        return
    try:
        identifier = app.memory.identifier or first_text(await app.chatwoot.inbox(), "inbox_identifier")
        app.memory.identifier = identifier
        if identifier:
            await app.chatwoot.type_as(identifier, place.source_id, place.conversation, on=on)
    except ChatwootError as error:
        app.context.log.debug("typing not shown", inbox=app.name, reason=error.reason)
