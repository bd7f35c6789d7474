"""What to do with a delivery whose turn it is, before it is tried."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from wagate.rules.settle import in_doubt
from wagate.rules.states import DeliveryState
from wagate.rules.targets import TargetState

ALONE_AFTER = 4
"""Deaths after which a delivery is tried with nothing else in the process. Before that the queue hands out fewer and
fewer of those that died together (`wagate/queue/lua/layout.lua`)."""
MOST_DEATHS_ALONE = 3
"""Processes that may die while they try this delivery and nothing else. Only these deaths count against it."""
BURIED = f"needs attention: {MOST_DEATHS_ALONE} processes died while they tried this and nothing else"


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


class Stuck(msgspec.Struct, frozen=True):
    """It waits for somebody."""


class Bury(msgspec.Struct, frozen=True):
    """It killed its processes: from now on it waits for somebody."""


Admission: TypeAlias = Go | Early | Closed | Stuck | Bury


def admit(delivery: DeliveryState, target: TargetState, *, callable_: bool, deaths: int, now: datetime) -> Admission:
    """Judge one delivery. ``callable_`` False: its plugin is not enabled or its endpoint is off, it stays parked.

    ``deaths``: of processes that tried this one and nothing else.
    """
    if not callable_ or target.disabled or target.paused:
        return Closed()
    if delivery.stuck:
        return Stuck()
    if deaths >= MOST_DEATHS_ALONE:
        return Bury()
    if target.down:
        return Closed(down=True, in_doubt=in_doubt(target) and not delivery.held)
    if delivery.next_retry_at is not None and not delivery.held and delivery.next_retry_at > now:
        return Early(seconds=(delivery.next_retry_at - now).total_seconds())
    return Go()
