"""What a link without texts shows of deliveries, receivers and numbers: when, where, which kind, what became of them.

Not what somebody wrote or is called, nor the words of receivers and providers, which may repeat it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wagate.events import Event
from wagate.hooks.views import AttemptView, DeliveryView
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.owners.accounts import QR_EXPIRED
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow, DeliveryDetail
from wagate.storage.threads.talk import Journey
from wagate.web.ui.linking import is_blocked

HIDDEN: Final = "the reason is not shown"
NO_DETAILS: Final = "the details are not shown"
BLOCKS: Final = "WhatsApp blocks it"
"""Of a number: which state that is goes by its words."""


def reason(error: str | None, status: int | None) -> str | None:
    """Why it failed, without anybody's words; None: it did not."""
    if not error:
        return error
    return f"answered {status}" if status else HIDDEN


def event(found: Event) -> Event:
    """What came in."""
    return replace(found, content="", contact_name=None, media=None, extra={}, metadata={})


def delivery(one: DeliveryView) -> DeliveryView:
    """A delivery and its tries."""
    tries = [_attempt(each) for each in one.attempts]
    error = reason(one.error, one.http_status)
    return replace(one, event=event(one.event), response=None, error=error, attempts=tries)


def journey(found: Journey) -> Journey:
    """A message from end to end."""
    return replace(
        found,
        event=event(found.event),
        deliveries=[_detail(each) for each in found.deliveries],
        message=None if found.message is None else _message(found.message),
        cause=None if found.cause is None else event(found.cause),
        answers=[_message(each) for each in found.answers],
    )


def target(row: TargetRow) -> TargetRow:
    """A receiver. What follows in its URL may be a token."""
    row.state, row.url = replace(row.state, last_error=None), row.url.partition("?")[0]
    return row


def number(row: AccountRow) -> AccountRow:
    """A number, in the same state, without its engine's words."""
    if row.message in {"", QR_EXPIRED}:
        return row
    return replace(row, message=BLOCKS if is_blocked(row) else NO_DETAILS)


def refusal(row: RefusedRow) -> RefusedRow:
    """Refused webhooks of a number."""
    return replace(row, detail="")


def _attempt(tried: AttemptView) -> AttemptView:
    return replace(tried, error=reason(tried.error, tried.http_status))


def _detail(one: DeliveryDetail) -> DeliveryDetail:
    row = replace(one.delivery, error=reason(one.delivery.error, one.delivery.http_status), response=None)
    tries = [replace(each, error=reason(each.error, each.http_status), response=None) for each in one.attempts]
    return replace(one, delivery=row, event=event(one.event), attempts=tries)


def _message(row: MessageRow) -> MessageRow:
    error = reason(row.error, None)
    return replace(row, content="", message=None, source_key=None, metadata={}, warnings=[], error=error)
