"""The one clock: wall time for records, monotonic time for waits, both shiftable in tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import trio

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It goes on while the machine is suspended: on Linux CLOCK_BOOTTIME, on macOS CLOCK_MONOTONIC (clock_gettime(3))."""


class Clock:
    """Wall time and waits. Tests shift it by hours; every wait that began before the shift notices."""

    def __init__(self) -> None:
        self.offset = 0.0
        """Seconds added to the machine's clocks, and to Redis TIME by the queue. Only tests set it."""
        self.stepped = 0.0
        """Seconds by which the machine's wall clock, and Redis TIME with it, was set. Only tests set it."""
        self.slept = 0.0
        """Seconds for which the machine was suspended. Only tests set it."""
        self._waits: set[trio.CancelScope] = set()

    @property
    def ahead(self) -> float:
        """Seconds by which wall time is ahead of the machine's; 0 but in tests."""
        return self.offset + self.stepped + self.slept

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def time(self) -> float:
        """Unix seconds of `now`."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Seconds that never step back, shifted like `now`; they stand still while the machine is suspended."""
        return time.monotonic() + self.offset

    def boottime(self) -> float:
        """Seconds that never step back, and go on while the machine is suspended: for what others wait for us."""
        return time.clock_gettime(BOOTTIME) + self.offset + self.slept

    def shift(self, seconds: float) -> None:
        """Move all clocks forward and wake every wait (tests only)."""
        self.offset += seconds
        for scope in self._waits:
            scope.cancel()

    def step(self, seconds: float) -> None:
        """Set the wall clock, back when negative; waits go on as they were (tests only)."""
        self.stepped += seconds

    def suspend(self, seconds: float) -> None:
        """Suspend the machine: wall time passes, monotonic time and waits stand still (tests only)."""
        self.slept += seconds

    async def wait(self, event: trio.Event | None, seconds: float) -> bool:
        """Wait for the event or until ``seconds`` have passed on this clock; True when the event came."""
        deadline = self.monotonic() + seconds
        event = trio.Event() if event is None else event
        while not event.is_set():
            left = deadline - self.monotonic()
            if left <= 0:
                await trio.lowlevel.checkpoint()
                return False
            with trio.move_on_after(left) as scope:
                self._waits.add(scope)
                try:
                    await event.wait()
                finally:
                    self._waits.discard(scope)
        await trio.lowlevel.checkpoint()
        return True

    async def sleep(self, seconds: float) -> None:
        """Sleep on this clock."""
        await self.wait(None, seconds)
