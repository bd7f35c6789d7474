"""What to do with a delivery whose turn it is, before it is tried."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from wagate.rules.settle import in_doubt
from wagate.rules.states import DeliveryState
from wagate.rules.targets import TargetState

MOST_CRASHES = 5
"""Workers that may die while they hold a delivery before it is buried. From the second on the queue hands it out with
no other suspect beside it, so three of them died with this one alone: a process killed now and then buries nobody."""
BURIED = f"worker died {MOST_CRASHES} times while delivering this"


class Go(msgspec.Struct, frozen=True):
    """Try it."""


class Early(msgspec.Struct, frozen=True, kw_only=True):
    """It waits for its next try."""

    seconds: float


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """Its target takes nothing now."""

    down: bool = False
    """A probe may pass."""
    in_doubt: bool = False
    """It may be that only another delivery says so: this one may try at once."""


class Bury(msgspec.Struct, frozen=True):
    """It killed its workers."""


Admission: TypeAlias = Go | Early | Closed | Bury


def admit(delivery: DeliveryState, target: TargetState, *, callable_: bool, crashes: int, now: datetime) -> Admission:
    """Judge one delivery. ``callable_`` False: its plugin is not enabled or its endpoint is off, it stays parked."""
    if not callable_ or target.disabled:
        return Closed()
    if crashes >= MOST_CRASHES:
        return Bury()
    if target.down:
        return Closed(down=True, in_doubt=in_doubt(target) and not delivery.held)
    if delivery.next_retry_at is not None and not delivery.held and delivery.next_retry_at > now:
        return Early(seconds=(delivery.next_retry_at - now).total_seconds())
    return Go()
