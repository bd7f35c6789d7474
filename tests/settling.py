"""What a try may come to, as `wagate.rules.settle` says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wagate.rules.states import Settled

Decision = tuple[Any, ...]
DONE: Decision = ("delivered", True, False, None, None)


def retry_at(due: datetime | None) -> Decision:
    """Tried again by the schedule, or when its target is probed next; None: it is switched off."""
    return "pending", False, False, due, None


def held_until(next_probe: datetime | None) -> Decision:
    """Out of attempts, waits for its target."""
    return "failed", False, True, next_probe, None


def failed_with(error: str) -> Decision:
    return "failed", True, False, None, error


def decision(settled: Settled) -> Decision:
    error = settled.error if settled.final else None
    return str(settled.status), settled.final, settled.held, settled.next_retry_at, error


def gave_up(settled: Settled) -> bool:
    return settled.final and settled.status == "failed"


def waits_for_target(settled: Settled) -> bool:
    return not settled.final and settled.target.closed


def retries(settled: Settled) -> bool:
    return not settled.final and not settled.target.closed
