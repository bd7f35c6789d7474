"""Take over what dead workers held; a task in every process."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue, process_of
from wagate.queue.results import DeadWorker
from wagate.queue.shards import Shards
from wagate.queue.wakeup import Wakeup

log = structlog.get_logger("wagate.consumers")


async def reap_dead_workers(
    queue: Queue | Shards,
    clock: Clock,
    wakeup: Wakeup,
    *,
    alive: Callable[[int], None],
    ended: Callable[[str], Awaitable[None]],
) -> None:
    """Look at all heartbeats every third of a lease, for ever.

    ``alive`` is told how many there are, ``ended`` which process has no living worker any more, before its keys go on.
    """
    reaper = Reaper(queue.lease)
    while True:
        await clock.sleep(queue.lease / 3)
        try:
            workers = await queue.workers()
            dead_workers = reaper.dead(workers, clock.monotonic(), me={each.worker for each in queue.shards})
            living = {process_of(name) for name in workers.keys() - {dead.name for dead in dead_workers}}
            alive(len(living))
            for dead in dead_workers:
                if process_of(dead.name) not in living:
                    await ended(process_of(dead.name))
                keys = await queue.reap(dead)
                log.warning("worker died", worker=dead.name, keys=keys)
                wakeup.ring()
        except QueueError:
            # Nobody's heart could be heard; the pump says that Redis is away.
            reaper.forget()


class Reaper:
    """Fed with snapshots, about every third of a lease; no clock but the caller's is compared."""

    def __init__(self, lease: float) -> None:
        """``lease``: seconds a heartbeat may stand still."""
        self._lease = lease
        self._looked_at = -math.inf
        self._seen: dict[str, tuple[int, float]] = {}
        """Heartbeat of each worker, and for how long it was seen to stand still."""

    def dead(self, workers: Mapping[str, int], now: float, *, me: Collection[str] = ()) -> list[DeadWorker]:
        """Judge a snapshot of all heartbeat counters, taken at ``now`` (monotonic seconds); never ``me``.

        Between two looks at most half a lease counts: if more passed, we stood still ourselves, and perhaps all others
        with us (one machine, one ``docker pause``), who have had no time since to show that they live.
        """
        passed, self._looked_at = min(now - self._looked_at, self._lease / 2), now
        self._seen = {
            name: (heartbeat, seen[1] + passed if (seen := self._seen.get(name)) and seen[0] == heartbeat else 0.0)
            for name, heartbeat in workers.items()
            if name not in me
        }
        return [
            DeadWorker(name=name, heartbeat=heartbeat)
            for name, (heartbeat, stood) in self._seen.items()
            if stood >= self._lease
        ]

    def forget(self) -> None:
        """Begin anew: Redis was away, so nobody's heart could be heard."""
        self._seen = {}
