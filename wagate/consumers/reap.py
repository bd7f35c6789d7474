"""Take over what dead workers held; a task in every process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from wagate.clock import Clock
from wagate.errors import QueueError
from wagate.queue.queue import Queue, process_of
from wagate.queue.reaper import Reaper
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
