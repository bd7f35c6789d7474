"""An agent deletes a message: what has not left yet does not leave, and what has is taken back where that can be."""

from __future__ import annotations

from msgspec.structs import replace

from wagate.errors import (
    ConflictError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    Postpone,
    RequestError,
    Retry,
    SendError,
    SendRefusedError,
)
from wagate.events import Event
from wagate.hooks import Delivery, DeliveryFilter
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Handed
from wagate_chatwoot.to_chatwoot.notices import notify_note
from wagate_chatwoot.to_whatsapp.actions import Delete
from wagate_chatwoot.to_whatsapp.chat_of import find_chat
from wagate_chatwoot.to_whatsapp.origin import Origin

OUTBOUND = "outbound"
"""The core's handler of messages on their way out."""
SOON = 1.0
"""Seconds until it is known whether a message that was just leaving, or just cancelled, left."""
AGAIN = 15.0
"""Seconds until a provider that can't be asked, and does not say when, is asked again."""
LONGEST = 6 * 3600.0
"""Seconds that a deletion waits, while we run, for an account through which nothing leaves; then the agent is told."""


async def delete(app: App, delivery: Delivery, action: Delete, *, site: str) -> None:
    """Take back what waits and what was sent; say so when that can't be done. May be repeated. Postpone, Retry.

    ``site`` is `App.site` where the agent did it.
    """
    handed = await app.ledger.handed(action.message) or Handed()
    # Written first: what is cancelled below fails, and that is not to be told.
    await app.ledger.hand(action.message, replace(handed, deleted=True))
    await app.ledger.done(action.where.conversation, action.message)
    gone = [await _take_back(app, delivery, part) for part in handed.parts if part]
    if not all(gone):
        origin = Origin(inbox=app.name, message=action.message, conversation=action.where.conversation, site=site)
        await notify_note(app, origin, await find_chat(app, action.where), app.texts("outgoing.deleted_too_late"))


async def deleted_here(app: App, event: Event) -> bool:
    """Whether what was revoked on WhatsApp is a message that an agent deleted in this inbox."""
    entry = await app.ledger.by_whatsapp(event.account, event.message_id, [event.chat])
    handed = await app.ledger.handed(entry.message) if entry is not None else None
    return handed is not None and handed.deleted


async def _take_back(app: App, delivery: Delivery, part: str) -> bool:
    """Whether nobody reads this part, now that it is deleted."""
    messages = app.context.messages
    try:
        status = (await messages.get(part, client_id=app.client_id)).status
        if status == "failed":
            return True
        if status == "queued":
            await _cancel(app, part)
        if status in {"queued", "sending"}:
            # It may be leaving at this moment.
            raise Postpone("a deleted message may be being sent right now", after=SOON, own=True)
        await messages.revoke(part, client_id=app.client_id)
    except (RequestError, SendRefusedError):
        return False
    except SendError as error:
        _ask_again(app, delivery, error)
        return False
    return True


async def _cancel(app: App, part: str) -> None:
    deliveries = app.context.deliveries
    which = DeliveryFilter(handler=OUTBOUND, message_id=part)
    found = await deliveries.page(which, client_id=app.client_id, limit=1)
    for each in found.data:
        try:
            await deliveries.cancel(each.id, client_id=app.client_id)
        except (ConflictError, NotFoundError):
            continue  # it is over, one way or the other


def _ask_again(app: App, delivery: Delivery, error: SendError) -> None:
    """Postpone, Retry; when it returns, it was tried long enough."""
    if isinstance(error, OutcomeUnknownError):
        if delivery.attempt < app.context.max_retries:
            raise Retry(f"unknown whether it was revoked: {error.reason}") from error
        return
    # Nothing of this account leaves: what follows in the conversation would wait as well.
    if app.memory.waited(delivery.created_at) < LONGEST:
        after = error.after if isinstance(error, NotSentError) else None
        raise Postpone(f"not revoked yet: {error.reason}", after=after or AGAIN, own=True) from error
