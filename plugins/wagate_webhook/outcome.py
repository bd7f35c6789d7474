"""What an answer means for a delivery. Pure."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from wagate.errors import Reject, Retry
from wagate.hooks import Receipt
from wagate.parsing.retry_after import seconds_asked_for

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""4xx that ask to come back."""


def read_outcome(status: int, retry_after: str | None, body: bytes, *, now: datetime) -> Receipt:
    """The receipt of a 2xx.

    Raises:
        Retry: 5xx, 408, 425, 429; not before the answer's Retry-After.
        Reject: every other status. 410 also switches the webhook off; redirects are not followed.
    """
    response = body.decode("utf-8", "replace")
    if 200 <= status < 300:
        return Receipt(http_status=status, response=response)
    if status >= 500 or status in _LATER:
        after = seconds_asked_for(retry_after, now)
        raise Retry(_reason(status), after=after, http_status=status, response=response)
    gone = status == HTTPStatus.GONE
    raise Reject(_reason(status), http_status=status, response=response, disable=gone)


def _reason(status: int) -> str:
    if status >= 500:
        return f"Server error ({status})"
    if status >= 400:
        return f"Client error ({status})"
    return f"Redirect ({status}) not followed" if status >= 300 else f"Unexpected status ({status})"
