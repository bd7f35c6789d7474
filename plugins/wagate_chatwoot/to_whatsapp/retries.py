"""Whether an update of a message is an agent's *Retry*, and what of the message is to be sent again."""

from __future__ import annotations

from wagate.errors import NotFoundError, Reject, Retry
from wagate.parsing.fields import first_text
from wagate_chatwoot.api.errors import ChatwootError, NotThereError
from wagate_chatwoot.inboxes import App
from wagate_chatwoot.ledger import Handed
from wagate_chatwoot.to_whatsapp.actions import Resend
from wagate_chatwoot.to_whatsapp.reconcile import OLDEST, mark_of


async def is_retry(app: App, resend: Resend, handed: Handed | None, *, last: bool) -> bool:
    """Whether it is one that was not answered yet.

    A message that we called failed, or one that never came here (Chatwoot calls that failed, too), and Chatwoot shows
    it as sent: one press makes two updates, and the second may come when the message has failed again.

    ``last``: no other try follows. Then what Chatwoot can't be asked about is one if we called it failed, since sending
    what failed harms nobody, and all that agents write would wait for Chatwoot otherwise; what never came here is none
    if it is looked for again (`wagate_chatwoot.to_whatsapp.reconcile`).

    Raises:
        Retry: Chatwoot can't be asked now.
        Reject: nor is it looked for again.
    """
    send = resend.send
    if handed is None:
        asked = resend.bare and send.created_at > await _history(app)
    else:
        entry = await app.ledger.by_message(send.message)
        failed = entry is not None and entry.status == "failed" and entry.retries == handed.retry
        asked = failed and not handed.deleted
    if not asked:
        return False
    try:
        return await _shown_as(app, send.where.conversation, send.message) == "sent"
    except ChatwootError as error:
        if last and (handed is not None or send.created_at > app.context.clock.time() - OLDEST):
            return handed is not None
        if last:
            raise Reject(f"unknown whether Retry was pressed: {error.reason}", response=error.response) from error
        raise Retry(f"Chatwoot was asked whether Retry was pressed: {error.reason}", response=error.response) from error


async def _history(app: App) -> float:
    """Until when an unknown message is none that never came here, but history; Unix seconds.

    What was written a day ago and longer, and before the inbox was looked through for the first time. What was written
    so long ago that it may be forgotten is history, too.
    """
    now, mark = app.context.clock.time(), await mark_of(app)
    since = now - OLDEST if mark is None else min(mark.since, now - OLDEST)
    return max(since, now - app.keep)


async def failed_parts(app: App, handed: Handed) -> set[int]:
    """Numbers of the parts that were not sent, or of which the agent was told that nobody knows."""
    found = set()
    for number, part in enumerate(handed.parts):
        if not part:
            found.add(number)
            continue
        try:
            view = await app.context.messages.get(part, client_id=app.client_id)
        except NotFoundError:
            continue
        if view.status in {"failed", "unknown"}:
            found.add(number)
    return found


async def _shown_as(app: App, conversation: int, message: int) -> str:
    """The status that Chatwoot shows; '' when the message is gone. ChatwootError."""
    try:
        rows = await app.chatwoot.messages(conversation, after=message - 1)
    except NotThereError:
        return ""
    return next((first_text(row, "status") for row in rows if row.get("id") == message), "")
