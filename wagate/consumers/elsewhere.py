"""Keys of targets that another process serves: an account's messages go where its connection is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from wagate.clock import Clock
from wagate.queue.results import Delay, Release, Taken

FIRST: Final = 0.1
LONGEST: Final = 2.0
"""Seconds that a key rests when it came back to us."""
SOON: Final = 0.25
"""Seconds beyond its rest after which a key that did not come back has found its process."""
HANDS_OFF: Final = 0.05
"""Seconds in which another process hears of a key that was handed on."""
MOST: Final = 10_000
"""Keys that are remembered."""


class Elsewhere:
    """Which targets are another process's, and how their keys reach it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._passed: dict[str, tuple[int, float]] = {}
        """Key → how often it was handed on in a row, and until when it rests."""
        self._hands_off_until = -math.inf
        self.asks: Callable[[str], bool] = lambda _target: False
        """Whether a target is another process's now; by its name, as in keys."""

    @property
    def hands_off(self) -> float:
        """Seconds for which nothing new is taken, so that what was handed on finds its process before it finds us."""
        return max(0.0, self._hands_off_until - self._clock.monotonic())

    def hand_on(self, taken: Taken) -> Release | Delay:
        """Ready again at once, which wakes who has waited longest; every other time that it comes back, after a rest.

        So it costs milliseconds as long as its process takes keys, and little when that has died or has no room.
        """
        now = self._clock.monotonic()
        times, until = self._passed.get(taken.key, (0, -math.inf))
        self._hands_off_until = now + HANDS_OFF
        if now - until > SOON:
            times = 0
        if len(self._passed) >= MOST:
            self._passed = {key: each for key, each in self._passed.items() if now - each[1] <= SOON}
        rest = min(FIRST * 2.0 ** min(times // 2, 10), LONGEST) if times % 2 else 0.0
        self._passed[taken.key] = times + 1, now + rest
        if not rest:
            return Release(key=taken.key, token=taken.token)
        return Delay(key=taken.key, token=taken.token, after=rest)
