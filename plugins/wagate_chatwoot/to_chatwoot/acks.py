"""Ticks: how far a message of ours got on WhatsApp, as its status in Chatwoot. Never backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from wagate.errors import NotFoundError
from wagate.events import Event
from wagate.events.acks import FAILED, is_one_of_many, reached
from wagate.hooks import Delivery, MessageFilter, Receipt
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.api.errors import NotThereError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import RANK, Entry, rises
from wagate_chatwoot.to_chatwoot import results
from wagate_chatwoot.to_whatsapp.origin import origin_of

MOST_REASON: Final = 500
"""Characters that agents see."""


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Tell Chatwoot of one ack. One whose message is not known here yet is told when it is (`catch_up`)."""
    event = delivery.event
    status = word(event.extra)
    entry = await app.ledger.by_whatsapp(event.account, event.message_id, [event.chat]) if status else None
    if entry is None or entry.direction == "in":
        return None
    reason = first_text(mapping(event.extra.get("error")), "reason")[:MOST_REASON]
    await _tell(app, entry, delivery, status, reason)
    return None


async def catch_up(app: App, entry: Entry, delivery: Delivery) -> None:
    """Tell of a message from Chatwoot what was reported before its id on WhatsApp was known here."""
    handed = await app.ledger.handed(entry.message)
    parts = (handed.parts if handed is not None else ()) or entry.parts or await _sent(app, delivery.event)
    status = lowest(await _statuses(app, parts))
    if status:
        await _tell(app, entry, delivery, status, "")


async def again(app: App, delivery: Delivery) -> None:
    """Show once more how far a message got. Chatwoot marks it as failed when any webhook about it finds nobody.

    That of a change of its status, which our own tick makes, too (source: its Webhooks::Trigger).
    """
    origin = origin_of(delivery.event)
    entry = await app.ledger.by_message(origin.message) if origin is not None and origin.inbox == app.name else None
    if entry is None or not app.reaches(entry.site) or not await is_out(app, entry):
        return
    try:
        await app.chatwoot.set_status(entry.conversation, entry.message, entry.status or "sent")
    except NotThereError:
        return  # deleted meanwhile


async def is_out(app: App, entry: Entry) -> bool:
    """Whether all of it left, as far as we know, so that Chatwoot is not to show it as failed."""
    if entry.direction == "in" or entry.waits or entry.status == FAILED or not entry.whatsapp:
        return False
    handed = await app.ledger.handed(entry.message)
    return handed is None or FAILED not in await _statuses(app, handed.parts)


def word(extra: dict[str, Any]) -> str:
    """Chatwoot's status for an ack; '' for those that it has none for."""
    status = reached(extra)
    return status if status in RANK or status == FAILED else ""


def lowest(statuses: Sequence[str]) -> str:
    """How far a message got whose parts got so far; '' when one has not left, or failed: that is told elsewhere."""
    if not statuses or not all(each in RANK for each in statuses):
        return ""
    return min(statuses, key=lambda each: RANK.get(each, 0))


async def _sent(app: App, event: Event) -> Sequence[str]:
    """Our own id of a message that was sent, by the provider's: a kill may come before its parts are written down."""
    which = MessageFilter(account=event.account, message_id=event.message_id)
    found = await app.context.messages.page(which, client_id=event.client_id, limit=20) if event.message_id else None
    return [row.id for row in found.data] if found is not None else ()


async def _tell(app: App, entry: Entry, delivery: Delivery, status: str, reason: str) -> None:
    if not app.reaches(entry.site):
        return
    if entry.direction == "out":
        if status == FAILED:
            return  # the core tells of it as message.failed, with the reason: see results
        handed = await app.ledger.handed(entry.message)
        if handed is not None and (len(handed.parts) > 1 or is_one_of_many(delivery.event.extra)):
            status = lowest(await _statuses(app, handed.parts))
    # What Chatwoot was told nothing about it shows as sent; what waited was never more than written.
    if not rises("" if entry.waits else entry.status or "sent", status):
        return
    try:
        await app.chatwoot.set_status(entry.conversation, entry.message, status, reason or None)
    except NotThereError:
        return  # the message or its conversation was deleted
    if entry.status == FAILED and entry.direction == "out" and not entry.waits:
        await results.recovered(app, entry, delivery)
    await app.ledger.write(replace(entry, status=status, error=reason, waits=False))


async def _statuses(app: App, parts: Sequence[str]) -> list[str]:
    """Of our own messages, from the core's table, into which every ack was folded before it came here."""
    found = []
    for part in parts:
        try:
            view = await app.context.messages.get(part, client_id=app.client_id) if part else None
        except NotFoundError:
            continue  # past retention
        found.append(view.status if view is not None else FAILED)
    return found
