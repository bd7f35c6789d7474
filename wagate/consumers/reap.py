"""Take over what dead workers held; a task in every process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog

from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue, process_of
from wagate.queue.results import DeadWorker
from wagate.queue.wakeup import Wakeup

log = structlog.get_logger("wagate.consumers")


async def reap_dead_workers(
    queue: Queue,
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
            dead_workers = reaper.dead(workers, clock.monotonic(), me=queue.worker)
            alive(len(workers) - len(dead_workers))
            living = {process_of(name) for name in workers.keys() - {dead.name for dead in dead_workers}}
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
