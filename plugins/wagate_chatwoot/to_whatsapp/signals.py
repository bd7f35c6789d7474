"""What is told to WhatsApp at once and may be lost: typing, and what was seen."""

from __future__ import annotations

import trio

from wagate.errors import RequestError, SendError
from wagate.events import kinds
from wagate.hooks import DeliveryFilter, PluginContext, Signal
from wagate.http import on_behalf_of
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.to_whatsapp.actions import Assigned, Typing
from wagate_chatwoot.to_whatsapp.chat_of import Chat, find_chat

MOST = 200
"""That wait; more are dropped."""
AT_ONCE = 16
PATIENCE = 5.0
"""Seconds for one."""
LOOK_BACK = 20
"""Events of a chat among which its last message is looked for."""


class Signals:
    """Takes signals from webhooks, which must not wait for a provider, and tells them in the background."""

    def __init__(self, context: PluginContext) -> None:
        self._log = context.log
        self._in, self._out = trio.open_memory_channel[tuple[App, Typing | Assigned]](MOST)
        self._limit = trio.Semaphore(AT_ONCE)

    def offer(self, app: App, what: Typing | Assigned) -> bool:
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

    async def _send(self, app: App, what: Typing | Assigned) -> None:
        try:
            with trio.move_on_after(PATIENCE), on_behalf_of(app.client_id):
                await send_signal(app, what)
        except Exception as error:  # noqa: BLE001  (the edge of a task: one signal less)
            self._log.warning("signal not told", inbox=app.name, error=type(error).__name__)
        finally:
            self._limit.release()


async def send_signal(app: App, what: Typing | Assigned) -> None:
    """One signal."""
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
