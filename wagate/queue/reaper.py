"""Which workers are dead: those whose heartbeat counter stood still for one lease on our own clock."""

from __future__ import annotations

import math
from collections.abc import Mapping

from wagate.queue.results import DeadWorker


class Reaper:
    """Fed with snapshots, about every third of a lease; no clock but the caller's is compared."""

    def __init__(self, lease: float) -> None:
        """``lease``: seconds a heartbeat may stand still."""
        self._lease = lease
        self._looked_at = -math.inf
        self._seen: dict[str, tuple[int, float]] = {}
        """Heartbeat of each worker, and for how long it was seen to stand still."""

    def dead(self, workers: Mapping[str, int], now: float, *, me: str | None = None) -> list[DeadWorker]:
        """Judge a snapshot of all heartbeat counters, taken at ``now`` (monotonic seconds); never ``me``.

        Between two looks at most half a lease counts: if more passed, we stood still ourselves, and perhaps all others
        with us (one machine, one ``docker pause``), who have had no time since to show that they live.
        """
        passed, self._looked_at = min(now - self._looked_at, self._lease / 2), now
        self._seen = {
            name: (heartbeat, seen[1] + passed if (seen := self._seen.get(name)) and seen[0] == heartbeat else 0.0)
            for name, heartbeat in workers.items()
            if name != me
        }
        return [
            DeadWorker(name=name, heartbeat=heartbeat)
            for name, (heartbeat, stood) in self._seen.items()
            if stood >= self._lease
        ]

    def forget(self) -> None:
        """Begin anew: Redis was away, so nobody's heart could be heard."""
        self._seen = {}
