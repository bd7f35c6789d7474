"""What has to be done now and then: QR codes lapse, old rows go, changes of other processes are noticed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import structlog

from wagate.clock import Clock
from wagate.config import Config
from wagate.errors import StorageError
from wagate.media.assemble import MediaSubsystem
from wagate.process.heap import EVERY, Heap
from wagate.process.minutes import Minutes
from wagate.storage.database import Database
from wagate.storage.minutes import MINUTE
from wagate.storage.owners.accounts import drop_idle_sessions, lapse_qrs
from wagate.storage.owners.clients import TokenUses
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.upkeep import retention
from wagate.web.inbound.refusals import Refusals

log = structlog.get_logger("wagate.process.maintenance")

LAPSE = 5.0
"""Seconds between looks for QR codes that have lapsed."""
CLEAN = 3600.0
"""Seconds between deletions of what is old."""
FIRST_CLEAN = 60.0
"""Seconds from the start to the first one: a gateway that is started anew every hour cleans up, too."""
USES = 60.0
"""Seconds between writings of when tokens were last used."""
REFUSALS = 10.0
"""Seconds between writings of refused webhooks."""
NOTICE = 1.0
"""Seconds in which a change made by another process is noticed."""


async def every(
    clock: Clock, seconds: float, work: Callable[[], Awaitable[None]], *, first: float | None = None
) -> None:
    """Do the work again and again, at first after ``first`` seconds; a database that is away costs one turn."""
    wait = seconds if first is None else first
    while True:
        await clock.sleep(wait)
        wait = seconds
        try:
            await work()
        except StorageError as error:
            log.warning("upkeep put off", work=getattr(work, "__name__", "work"), reason=str(error))


def upkeep_tasks(
    config: Config,
    database: Database,
    live: LiveDirectory,
    clock: Clock,
    *,
    session_changed: Callable[[str], None],
    media: MediaSubsystem,
    tokens: TokenUses,
    heap: Heap,
    minutes: Minutes,
    refusals: Refusals,
) -> dict[str, Callable[[], Awaitable[None]]]:
    """Tasks by name, each to be supervised."""

    async def lapse() -> None:
        for name in await database.write(lapse_qrs, now=clock.now()):
            session_changed(name)

    async def clean() -> None:
        keep = config.retention
        ages = retention.Ages(
            events=timedelta(seconds=keep.events),
            failed=timedelta(seconds=keep.failed),
            media=timedelta(seconds=keep.media),
        )
        deleted = await retention.sweep(database, ages, now=clock.now())
        idle = await database.write(drop_idle_sessions, clock.now() - timedelta(seconds=keep.sessions))
        if idle:
            await live.reload()
        log.info("old rows deleted", **deleted, sessions=len(idle), files=await media.sweep())

    tasks: dict[str, Callable[[], Awaitable[None]]] = {
        "lapse": partial(every, clock, LAPSE, lapse),
        "clean": partial(every, clock, CLEAN, clean, first=FIRST_CLEAN),
        "media": media.fetcher.run,
        "tokens": partial(every, clock, USES, tokens.write),
        "heap": partial(every, clock, EVERY, heap.look),
        "minutes": partial(every, clock, MINUTE, minutes.write),
        "old_minutes": partial(every, clock, CLEAN, minutes.drop),
        "refusals": partial(every, clock, REFUSALS, refusals.write, first=0.0),
        "old_refusals": partial(every, clock, CLEAN, refusals.drop),
    }
    if config.database.url:
        tasks["notice"] = partial(every, clock, NOTICE, live.reload_if_changed)
    return tasks
