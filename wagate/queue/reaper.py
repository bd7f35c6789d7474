"""Which workers are dead: those whose heartbeat counter stood still for one lease on our own clock."""

from __future__ import annotations

from collections.abc import Mapping

from wagate.queue.results import DeadWorker


class Reaper:
    """Fed with snapshots, about every third of a lease; no clock but the caller's is compared."""

    def __init__(self, lease: float) -> None:
        """``lease``: seconds a heartbeat may stand still."""
        self._lease = lease
        self._seen: dict[str, tuple[int, float]] = {}

    def dead(self, workers: Mapping[str, int], now: float, *, me: str | None = None) -> list[DeadWorker]:
        """Judge a snapshot of all heartbeat counters, taken at ``now`` (monotonic seconds); never ``me``."""
        self._seen = {
            name: seen if (seen := self._seen.get(name)) and seen[0] == heartbeat else (heartbeat, now)
            for name, heartbeat in workers.items()
            if name != me
        }
        return [
            DeadWorker(name=name, heartbeat=heartbeat)
            for name, (heartbeat, since) in self._seen.items()
            if now - since >= self._lease
        ]

    def forget(self) -> None:
        """Begin anew: Redis was away, so nobody's heart could be heard."""
        self._seen = {}
