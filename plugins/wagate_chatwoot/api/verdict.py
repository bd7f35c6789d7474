"""What a failure of ChatWoot's means for a delivery."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wagate.errors import DeliveryError, Postpone, Reject, Retry
from wagate_chatwoot.api.errors import (
    AmbiguousError,
    BusyError,
    ChatWootError,
    ChatWootStoppedError,
    RefusedError,
    TooLargeError,
)

STOPPED: Final = 60.0
"""Seconds at least until ChatWoot is asked again whether its configuration was mended."""


@contextmanager
def judged() -> Iterator[None]:
    """ChatWoot's errors inside leave as those of a delivery."""
    try:
        yield
    except ChatWootError as error:
        raise verdict(error) from error


def verdict(error: ChatWootError) -> DeliveryError:
    """The error for the core. Pure.

    A wrong token, a suspended account: the inbox counts as down at once, all that is for it is held in order, and no
    attempt is spent until it is mended. Too fast: wait, at no cost. Refused as it is: never again. All else: again, and
    what ChatWoot may still be doing not before it is over.
    """
    match error:
        case ChatWootStoppedError():
            reason = f"ChatWoot takes nothing until its settings are mended: {error.reason}"
            return Retry(reason, after=STOPPED, down=True, http_status=error.http_status, response=error.response)
        case BusyError():
            return Postpone(f"ChatWoot is busy: {error.reason}", after=error.after, slow=error.http_status == 429)
        case RefusedError() | TooLargeError():
            return Reject(error.reason, http_status=error.http_status, response=error.response)
        case AmbiguousError() if error.lingers:
            return Retry(error.reason, after=error.lingers, http_status=error.http_status, response=error.response)
    return Retry(error.reason, http_status=error.http_status, response=error.response)
