"""What a scenario is, and how one is run."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

LIMIT = 300.0
"""Seconds that one scenario may take."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of it."""

    short: bool
    """Seconds, for every change; else minutes."""
    seed: int
    """The same one makes the same choices."""

    @property
    def dice(self) -> random.Random:
        """Of this run."""
        return random.Random(self.seed)

    def of(self, few: int, many: int) -> int:
        """How many, in this form."""
        return few if self.short else many


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One fault and what is promised for it."""

    name: str
    fault: str
    promise: str
    run: Callable[[Size], Awaitable[str]]
    """Makes the fault, on loopback only, and returns figures; AssertionError: the promise fell."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How it went."""

    scenario: Scenario
    held: bool
    says: str
    """Figures, or why it fell."""
    seconds: float


async def judge(scenario: Scenario, size: Size) -> Verdict:
    """Run one; what it raises is its own fall."""
    began = time.monotonic()
    try:
        with trio.fail_after(LIMIT):
            says, held = await scenario.run(size), True
    except Exception as error:  # noqa: BLE001  (whatever went wrong, the promise was not kept)
        says, held = "; ".join(reasons(error)), False
    return Verdict(scenario=scenario, held=held, says=says, seconds=time.monotonic() - began)


def reasons(error: BaseException) -> list[str]:
    """What a group of errors holds, in one line each."""
    if isinstance(error, BaseExceptionGroup):
        return [line for each in error.exceptions for line in reasons(each)]
    return [f"{type(error).__name__}: {str(error)[:300]}"]
