"""How often something may happen, by key: token buckets, kept as one float each. Pure but for its memory.

Source: the generic cell rate algorithm, https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST_KEYS: Final = 10_000


class TokenBuckets:
    """Buckets of tokens by key. All times are seconds of a clock that never steps back.

    ``interval`` is the time in which one token comes back, ``burst`` how many a full bucket holds, at least 1.
    """

    def __init__(self, *, most: int = MOST_KEYS) -> None:
        """``most``: keys remembered; the one unused for longest is forgotten first, and is full again."""
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def ready_at(self, key: str, *, interval: float, burst: int, now: float) -> float:
        """When the bucket has its next token: ``now``, or later. Takes nothing."""
        return max(now, self._full_at.get(key, now) - (burst - 1) * interval)

    def take(self, key: str, *, interval: float, burst: int, now: float) -> float:
        """Take the next token, also one that is yet to come; when it may be used."""
        at = self.ready_at(key, interval=interval, burst=burst, now=now)
        self._full_at[key] = max(self._full_at.pop(key, now), now) + interval
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return at
