"""Trio's clock, which stands still while the process does."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

LATE = 0.25
"""Seconds by which the loop may be later than it planned before that counts as a pause."""


class RunningClock(trio.abc.Clock):
    """Counts the time in which the loop turns.

    After a pause (SIGSTOP, ``docker pause``, a suspended machine, a plugin that blocks) the answers that came meanwhile
    lie in the sockets. By the machine's clock every deadline would be over before one of them is read: requests that
    were answered would count as timeouts. Here a deadline comes as long after the pause as it was away before.

    Of two pauses in a row only the first is left out, so that time passes also for a loop that is always late.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        """``now``: the machine's monotonic seconds."""
        self._now = now
        self._last = now()
        self._paused = 0.0
        self._planned = 0.0
        self._forgives = True
        self._forgave = False

    def start_clock(self) -> None:
        """See `trio.abc.Clock`."""
        self._last = self._now()

    def current_time(self) -> float:
        """The machine's seconds without the pauses."""
        now = self._now()
        gap = now - self._last
        if gap > self._planned + LATE and self._forgives:
            self._paused += gap
            self._forgives, self._forgave = False, True
        self._last, self._planned = now, 0.0
        return now - self._paused

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Called once in each turn of the loop, before it waits."""
        self._planned, left = 0.0, deadline - self.current_time()
        self._planned = max(left, 0.0)
        self._forgives, self._forgave = not self._forgave, False
        return left
