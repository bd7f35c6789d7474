"""Rate limits: so many requests in a period for each key, spread by the generic cell rate algorithm."""

from __future__ import annotations

import math
from collections import OrderedDict

from wagate.clock import Clock
from wagate.errors import TooManyRequestsError

MOST_KEYS = 10_000
"""Keys remembered; the one unused for longest is forgotten first."""


class RateLimit:
    """``count`` requests in ``period`` seconds for each key; a whole period's worth may come at once.

    Memory is one float a key, bounded. ``count`` 0 switches it off.
    """

    def __init__(self, clock: Clock, *, count: int, period: float) -> None:
        self._clock = clock
        self._step = period / count if count else 0.0
        self._burst = period
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def spend(self, key: str) -> None:
        """Count one request. TooManyRequestsError when the key has none left; ``retry_after`` in seconds."""
        self.check(key)
        if self._step:
            now = self._clock.monotonic()
            self._full_at[key] = max(self._full_at.pop(key, now), now) + self._step
            if len(self._full_at) > MOST_KEYS:
                self._full_at.popitem(last=False)

    def check(self, key: str) -> None:
        """Refuse a key that has none left, without counting."""
        wait = self._full_at.get(key, 0.0) + self._step - self._burst - self._clock.monotonic()
        if self._step and wait > 1e-9:
            raise TooManyRequestsError(
                f"too many requests; try again in {math.ceil(wait)} s", retry_after=max(1, math.ceil(wait))
            )
