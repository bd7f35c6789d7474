"""Messages that we sent: which of them agents wrote in Chatwoot, so that they are told there, and not written again."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wagate.errors import Postpone
from wagate.events import Event
from wagate.hooks import Delivery, MessageFilter, MessageView
from wagate_chatwoot.api.errors import NotThereError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot import acks
from wagate_chatwoot.to_whatsapp.origin import Origin, origin_of

SOON: Final = 0.5
HANDING_ON: Final = 5.0
"""Seconds that an agent's message may take from its submission to its row in the ledger."""
PATIENCE: Final = 60.0
"""Seconds that an echo waits for the provider's answer to what it may be the echo of.

Both count from our start at the earliest: what a process was at when it died is settled after the next one began.
"""


async def note(app: App, delivery: Delivery) -> bool:
    """Whether a message of ours stands in this inbox because an agent wrote it here; its id on WhatsApp is kept then.

    Raises:
        Postpone: that is not known yet: something is being sent to this chat, and this may be the provider's echo.
    """
    event = delivery.event
    origin = origin_of(event)
    if origin is not None:
        here = origin.inbox == app.name and app.is_at(origin.site)
        if here:
            await _keep(app, delivery, origin)
        return here
    if "id" in event.extra or not event.message_id:
        return False  # sent by API
    known = await app.ledger.by_whatsapp(event.account, event.message_id, [event.chat])
    if known is None:
        return await _note_echo(app, delivery)
    if not app.is_at(known.site):
        return False
    if known.direction == "out":
        await acks.catch_up(app, known, delivery)  # it may have been cut off after the id had been written down
    return True


async def _note_echo(app: App, delivery: Delivery) -> bool:
    """A provider's own word of a message of ours: of one that we sent, or of one written on the phone."""
    event = delivery.event
    age = app.memory.waited(delivery.created_at)
    sent = await _rows(app, event, message_id=event.message_id)
    if not sent:
        if age < PATIENCE and await _rows(app, event, status="sending", anywhere=event.chat.endswith("@lid")):
            raise Postpone("a message to this chat is being sent: this may be its echo", after=SOON, own=True)
        # Nobody answered for it, and here it is.
        sent = [row for row in await _rows(app, event, status="unknown") if _same(row, event)][:1]
    for row in sent:
        entry = await app.ledger.by_part(row.id)
        if entry is not None:
            whatsapp = tuple(dict.fromkeys((*entry.whatsapp, event.message_id)))
            entry = replace(entry, account=event.account, chat=event.chat, whatsapp=whatsapp)
            await app.ledger.write(entry)
            await acks.catch_up(app, entry, delivery)
            return True
        if age < HANDING_ON:
            raise Postpone("a message to this chat is being handed over: this may be its echo", after=SOON, own=True)
    return False


async def _keep(app: App, delivery: Delivery, origin: Origin) -> None:
    """Write down which message in Chatwoot became this one on WhatsApp, and tell what became of it meanwhile."""
    event = delivery.event
    entry = await app.ledger.by_message(origin.message)
    if entry is None:
        conversation, site = origin.conversation, origin.site
        entry = Entry(message=origin.message, conversation=conversation, site=site, direction="out")
    if origin.retry > entry.retries:
        # Chatwoot shows it as sent from the moment on when the agent pressed Retry.
        entry = replace(entry, retries=origin.retry, status="", error="", waits=False)
    if origin.failed and not origin.retry and not entry.whatsapp and app.reaches(origin.site):
        await _unfail(app, origin)
    whatsapp = tuple(dict.fromkeys((*entry.whatsapp, event.message_id))) if event.message_id else entry.whatsapp
    entry = replace(entry, account=event.account, chat=event.chat, whatsapp=whatsapp)
    await app.ledger.write(entry)
    await acks.catch_up(app, entry, delivery)


async def _unfail(app: App, origin: Origin) -> None:
    """Chatwoot gave the message up when nobody took its webhook; it was sent after all."""
    try:
        await app.chatwoot.set_status(origin.conversation, origin.message, "sent")
    except NotThereError:
        return  # deleted, or a server that has no statuses to be written


async def _rows(
    app: App, event: Event, *, message_id: str | None = None, status: str | None = None, anywhere: bool = False
) -> list[MessageView]:
    """``anywhere``: a message to a number may show up under a LID of which nobody has told yet whose it is."""
    chat = None if message_id or anywhere else event.chat
    which = MessageFilter(account=event.account, chat=chat, status=status, message_id=message_id)
    return (await app.context.messages.page(which, client_id=event.client_id, limit=20)).data


def _same(row: MessageView, event: Event) -> bool:
    """Whether a message of unknown outcome may be this one: it says the same, and nothing else is known of it."""
    return row.message_id is None and row.content == event.content and row.created_at <= event.created_at
