"""What became of agents' messages, told in Chatwoot: failed with its reason, a note, and when it worked after all."""

from __future__ import annotations

from msgspec.structs import replace

from wagate.errors import NotFoundError, Postpone, Reject
from wagate.events import Event, kinds
from wagate.hooks import Delivery, DeliveryFilter, Receipt
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.api.errors import NotThereError
from wagate_chatwoot.api.posts import Post
from wagate_chatwoot.inboxes import App, elsewhere
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.to_chatwoot import notices
from wagate_chatwoot.to_whatsapp.origin import Origin, origin_of

FAILED = kinds.MESSAGE_FAILED
KINDS = notices.KINDS | {FAILED}
"""Events about agents' own messages."""
_STILL = {notices.DOUBT: {"unknown"}, notices.WAITS: {"queued", "sending"}}
"""Kind of event → statuses of the part of which it tells."""
SOON = 0.3
"""Seconds until the row of a message that failed at once is there."""
MOST_LOOKS = 60.0
"""Seconds, of ours, after which it never comes: what wrote it died, and was done again since we began."""
MOST_REASON = 500
"""Characters that agents see."""


def concerns(app: App, event: Event) -> bool:
    """Whether it is about a message that was written in this inbox, and can be told there."""
    origin = origin_of(event)
    return origin is not None and origin.inbox == app.name and app.reaches(origin.site)


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """Tell one result. Every step may be repeated. ChatwootError; Postpone, Reject."""
    event = delivery.event
    origin = origin_of(event)
    if origin is None or origin.inbox != app.name:
        return None
    if not app.reaches(origin.site):
        raise Reject(elsewhere(app, origin.site))
    try:
        if event.kind == notices.NOTE:
            await _note(app, origin, event.content, delivery, name="note")
        else:
            await _failed(app, origin, delivery)
    except NotThereError:
        return None  # conversation or message are gone, and whoever would read it with them
    return None


async def _failed(app: App, origin: Origin, delivery: Delivery) -> None:
    handed = await app.ledger.handed(origin.message)
    entry = await app.ledger.by_message(origin.message)
    if handed is None or handed.retry < origin.retry or entry is None:
        _wait_for_row(app, delivery)
    if handed is not None and (handed.deleted or handed.retry > origin.retry):
        return
    waits = delivery.event.kind == notices.WAITS
    if entry is None or ((entry.status, entry.retries) == ("failed", origin.retry) and (waits or not entry.waits)):
        return
    if delivery.event.kind in _STILL and not await _is_still(app, delivery.event):
        return
    reason = _reason(app, delivery.event)
    try:
        await app.chatwoot.set_status(origin.conversation, origin.message, "failed", reason)
    except NotThereError:
        # A server before 4.2 has no statuses to be written; there the note is all that tells.
        if waits or not app.inbox.error_notes:
            raise
    if app.inbox.error_notes and not waits:  # a provider that is away would fill every conversation with notes
        text = app.texts("outgoing.failed_note", reason=reason, link=await _link(app, delivery.event))
        await _note(app, origin, text, delivery, name=f"failed/{origin.retry}")
    # Last: so that what was interrupted is done again. Retry is recognised from here on.
    await app.ledger.write(replace(entry, status="failed", error=reason, retries=origin.retry, waits=waits))


async def recovered(app: App, entry: Entry, delivery: Delivery) -> None:
    """Tell that a message which had failed was delivered after all; ChatwootError.

    Its status is written by whoever tells acks.
    """
    if app.inbox.error_notes:
        origin = Origin(inbox=app.name, message=entry.message, conversation=entry.conversation)
        await _note(app, origin, app.texts("outgoing.recovered_note"), delivery, name=f"recovered/{entry.retries}")


async def _is_still(app: App, event: Event) -> bool:
    """Whether it still is in doubt, or waits: an ack or an echo may have come meanwhile."""
    try:
        view = await app.context.messages.get(first_text(event.extra, "id"), client_id=event.client_id)
    except NotFoundError:
        return False
    return view.status in _STILL[event.kind]


def _wait_for_row(app: App, delivery: Delivery) -> None:
    """Postpone: the provider was quicker than the row that is written after a submission."""
    if app.memory.waited(delivery.event.created_at) < MOST_LOOKS:
        raise Postpone("the message is still being handed over", after=SOON, own=True)


async def _note(app: App, origin: Origin, text: str, delivery: Delivery, *, name: str) -> None:
    """A private note in reply to the message, once: its source_id is looked for when it may be there already."""
    source_id = f"wagate/{origin.message}/{name}"
    event = delivery.event
    if not app.memory.trusts(event.account, event.chat, attempt=delivery.attempt, created=delivery.created_at):
        rows = await app.chatwoot.messages(origin.conversation, after=origin.message)
        if any(row.get("source_id") == source_id for row in rows):
            return
    attributes = {"in_reply_to": origin.message}
    post = Post(content=text, message_type="outgoing", private=True, source_id=source_id, content_attributes=attributes)
    await app.chatwoot.post(origin.conversation, post)


def _reason(app: App, event: Event) -> str:
    """Why, for an agent: in plain words, in their language where we have them."""
    error = mapping(event.extra.get("error"))
    reason = first_text(error, "reason") or event.content
    if error.get("window") is True:
        return app.texts("outgoing.window_closed")
    if event.kind in notices.KINDS:
        return reason[:MOST_REASON]
    return app.texts("outgoing.failed", reason=reason[:MOST_REASON])


async def _link(app: App, event: Event) -> str:
    """Where the operator sees the job; '' without a public_url."""
    message = first_text(mapping(event.extra), "id")
    if not app.context.public_url or not message:
        return ""
    which = DeliveryFilter(handler="outbound", message_id=message)
    page = await app.context.deliveries.page(which, client_id=event.client_id, limit=1)
    return f"{app.context.public_url.rstrip('/')}/api/jobs/{page.data[0].id}" if page.data else ""
