"""An agent deletes a message: what has not left yet, does not leave."""

from __future__ import annotations

from msgspec.structs import replace

from wagate.errors import ConflictError, NotFoundError
from wagate_chatwoot.actions import Delete
from wagate_chatwoot.apps import App
from wagate_chatwoot.ledger import Handed
from wagate_chatwoot.origin import Origin
from wagate_chatwoot.tell import tell_note
from wagate_chatwoot.whither import whither

OUTBOUND = "outbound"
"""The core's handler of messages on their way out."""


async def delete(app: App, action: Delete) -> None:
    """Take back what waits; say so when it is too late."""
    handed = await app.ledger.handed(action.message) or Handed()
    # Written first: what is cancelled below fails, and that is not to be told.
    await app.ledger.hand(action.message, replace(handed, deleted=True))
    await app.ledger.done(action.where.conversation, action.message)
    cancelled = [await _cancel(app, part) for part in handed.parts if part]
    if not all(cancelled):
        origin = Origin(inbox=app.name, message=action.message, conversation=action.where.conversation)
        await tell_note(app, origin, await whither(app, action.where), app.texts("outgoing.deleted_too_late"))


async def _cancel(app: App, part: str) -> bool:
    """Whether it is certain that this part never reaches anybody."""
    try:
        view = await app.context.messages.get(part, client_id=app.client_id)
    except NotFoundError:
        return True
    if view.status == "failed":
        return True
    if view.status != "queued":
        return False
    found = await app.context.deliveries.page(
        client_id=app.client_id, limit=1, cursor=None, handler=OUTBOUND, message_id=part
    )
    try:
        for each in found.data:
            await app.context.deliveries.cancel(each.id, client_id=app.client_id)
    except ConflictError:
        return False
    return bool(found.data)
