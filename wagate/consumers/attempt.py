"""Run a handler once, and say what happened in our own words."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import structlog
import trio

from wagate.errors import DeliveryError, Postpone, Reject, Retry
from wagate.hooks.contracts import Delivery, Handler
from wagate.http import on_behalf_of
from wagate.rules.states import Accepted, Failed, Happened, Postponed, Rejected

log = structlog.get_logger("wagate.consumers")

OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the gateway's own machine lacks: descriptors, memory."""
OURS_AGAIN = 5.0
"""Seconds after which it may have them again."""


async def attempt(handler: Handler, delivery: Delivery, seconds: float) -> Happened | Postponed:
    """Hand one delivery to its handler, for so many seconds at most.

    A handler that returns has delivered; one that raises has not. Nothing it raises comes out of here but Cancelled.
    """
    assert handler.handle is not None  # pull handlers are not called
    try:
        with trio.fail_after(seconds), on_behalf_of(delivery.event.client_id):
            receipt = await handler.handle(delivery)
    except trio.TooSlowError:
        return Failed(error=f"Connection timeout: no answer within {seconds:g} s")
    except Exception as error:  # noqa: BLE001  (a plugin fails alone: whatever it raises is the failure of one delivery)
        return _meaning(error, handler.name, delivery.id)
    return Accepted() if receipt is None else Accepted(http_status=receipt.http_status, response=receipt.response)


def _meaning(error: Exception, handler: str, delivery_id: str) -> Happened | Postponed:
    # A handler with a nursery of its own raises groups.
    said = next((each for each in _leaves(error) if isinstance(each, DeliveryError)), error)
    if (ours := _ours(said)) is not None and not isinstance(said, Reject | Postpone):
        log.warning("delivery put off", plugin=handler, delivery_id=delivery_id, lacking=errno.errorcode[ours])
        return Postponed(error=f"{errno.errorcode[ours]} on the gateway's side", after=OURS_AGAIN)
    match said:
        case Reject():
            return Rejected(
                error=said.reason, http_status=said.http_status, response=said.response, disable=said.disable
            )
        case Postpone():
            return Postponed(error=said.reason, after=said.after, slow=said.slow, own=said.own)
        case Retry():
            return Failed(
                error=said.reason,
                http_status=said.http_status,
                response=said.response,
                after=said.after,
                down=said.down,
            )
        case DeliveryError():
            return Failed(error=said.reason, http_status=said.http_status, response=said.response)
        case _:
            # The message of a foreign exception may hold anything; its class and place are for the log.
            log.error("handler failed", plugin=handler, delivery_id=delivery_id, exc_info=error)
            return Failed(error=type(error).__name__)


def _ours(error: BaseException) -> int | None:
    """The errno of something that ran out here, somewhere in what an error came from: no fault of the target's."""
    at: BaseException | None = error
    passed: set[int] = set()
    while at is not None and id(at) not in passed:  # plugins may raise an error from itself
        if isinstance(at, OSError) and at.errno in OURS:
            return at.errno
        passed.add(id(at))
        at = at.__cause__ or at.__context__
    return None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
