"""Rate limits: so many requests in a period for each key; the next one is refused."""

from __future__ import annotations

import math

from wagate.clock import Clock
from wagate.errors import TooManyRequestsError
from wagate.rate import TokenBuckets


class RateLimit:
    """``count`` requests in ``period`` seconds for each key; a whole period's worth may come at once.

    Memory is one float a key, bounded. ``count`` 0 switches it off.
    """

    def __init__(self, clock: Clock, *, count: int, period: float) -> None:
        self._clock = clock
        self._count = count
        self._interval = period / count if count else 0.0
        self._buckets = TokenBuckets()

    def spend(self, key: str) -> None:
        """Count one request. TooManyRequestsError when the key has none left; ``retry_after`` in seconds."""
        self.check(key)
        if self._count:
            self._buckets.take(key, interval=self._interval, burst=self._count, now=self._clock.monotonic())

    def check(self, key: str) -> None:
        """Refuse a key that has none left, without counting."""
        if not self._count:
            return
        now = self._clock.monotonic()
        wait = self._buckets.ready_at(key, interval=self._interval, burst=self._count, now=now) - now
        if wait > 1e-9:
            raise TooManyRequestsError(
                f"too many requests; try again in {math.ceil(wait)} s", retry_after=max(1, math.ceil(wait))
            )
