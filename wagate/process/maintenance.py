"""What has to be done now and then: QR codes lapse, old rows go, counts are written down, memory is given back."""

from __future__ import annotations

import ctypes
import gc
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import peewee
import structlog
import trio

from wagate.clock import Clock
from wagate.config import Config
from wagate.errors import StorageError
from wagate.media.assemble import MediaSubsystem
from wagate.outbound.context import OUTBOUND
from wagate.storage.clock_marks import believed
from wagate.storage.database import Database
from wagate.storage.minutes import LAGS, MINUTE, Bucket, add_buckets, count_incoming, drop_buckets, start_of
from wagate.storage.once import Once, drop_marks
from wagate.storage.owners.accounts import drop_idle_sessions, lapse_qrs
from wagate.storage.owners.clients import TokenUses
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.upkeep import retention
from wagate.web.http.bodies import Bodies
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
EVERY = 5.0
"""Seconds between looks."""
LAST = 2.0
"""Seconds in which a stop writes down what was counted since the last time; a commit under way is waited for."""
ENOUGH = 4 * 1024**2
"""Bytes of bodies after which it is worth the walk: some milliseconds, in a thread of its own."""


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
        now = clock.now()
        until = await database.read(believed, now)
        if until < now:
            log.warning("the clock leapt: old rows are kept for a day", as_at=until.isoformat())
        deleted = await retention.sweep(database, ages, now=until)
        idle = await database.write(drop_idle_sessions, until - timedelta(seconds=keep.sessions))
        if idle:
            await live.reload()
        files = await media.sweep(until)
        log.info("old rows deleted", **deleted, sessions=len(idle), files=files)

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


@asynccontextmanager
async def written_down(minutes: Minutes, refusals: Refusals, tokens: TokenUses) -> AsyncIterator[None]:
    """Leaving it in good order writes down what was counted since the last time; a stop waits for that shortly."""
    yield
    with trio.move_on_after(LAST, shield=True):
        async with trio.open_nursery() as nursery:  # who writes at the same time shares a commit
            for work in (minutes.write_last, refusals.write, tokens.write):
                nursery.start_soon(_last, work)


async def _last(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except StorageError as error:
        log.warning("last counts not written down", reason=str(error))


class Heap:
    """Trims it when many bytes have passed through since the last time."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._seen = 0
        self.trims = 0
        """How often it was trimmed."""

    async def look(self) -> None:
        """Trim when it is time."""
        if self._bodies.passed - self._seen >= ENOUGH:
            self._seen = self._bodies.passed
            self.trims += 1
            # Errors and their tracebacks hold each other, and the body: young ones wait for the next collection.
            gc.collect(1)
            await trio.to_thread.run_sync(trim)


M_ARENA_MAX: Final = -8
"""Source: malloc.h of glibc."""


def keep_one_heap() -> None:
    """Have all threads take from one heap, where the C library is glibc.

    It makes one for each thread that meets another, and what a large body leaves in those is not returned: 20 to 30 MB.
    """
    call = getattr(ctypes.CDLL(None), "mallopt", None)
    if call is not None:
        call(M_ARENA_MAX, 1)


def trim() -> None:
    """Have the C library return what is free; where it can't (only glibc has the call), nothing."""
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)


MOST: Final = 50_000
"""Buckets in memory, beside those under way. When the database takes nothing for long, the figures of further targets
are lost."""
BEHIND: Final = timedelta(minutes=15)
"""What came in is counted for so long back, after the process was away or the database was."""


class Minutes:
    """This process's part of the figures."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._once = Once(database, clock)
        self._found: dict[tuple[str, datetime], Bucket] = {}
        self._sent: dict[str, datetime] = {}
        self._counted = start_of(clock.now(), MINUTE)

    def tried(self, target_id: str, client_id: int, lag: float | None) -> None:
        """One try is over; ``lag``: seconds from storing until it was delivered, None: it failed."""
        now = self._clock.now()
        at = start_of(now, MINUTE)
        bucket = self._found.get((target_id, at))
        if bucket is None:
            if len(self._found) >= MOST:
                return
            bucket = self._found[target_id, at] = Bucket(subject=target_id, at=at, client_id=client_id)
        if lag is None:
            bucket.failed += 1
            return
        bucket.done += 1
        bucket.lags[bisect_left(LAGS, lag)] += 1
        handler, _, own_id = target_id.partition(":")
        if handler == OUTBOUND:
            self._sent[own_id] = now

    async def write(self) -> None:
        """Write down what was counted. StorageError: it is kept for the next time."""
        await self._once.write(self._take)
        await self._count_incoming()

    async def write_last(self) -> None:
        """As `write`, and what came in during this minute: who comes later counts from its own on."""
        await self.write()
        await self._database.write(count_incoming, self._counted, self._counted + timedelta(seconds=MINUTE))

    def _take(self) -> Callable[[peewee.Database], None] | None:
        if not self._found:
            return None
        found, self._found = list(self._found.values()), {}
        sent, self._sent = self._sent, {}
        return partial(add_buckets, found=found, sent=sent)

    async def _count_incoming(self) -> None:
        end = start_of(self._clock.now(), MINUTE)
        # The last minute once more at least: a clock that was set back goes through it again. It is counted as a whole.
        self._counted = min(max(self._counted, end - BEHIND), end - timedelta(seconds=MINUTE))
        while self._counted < end:
            following = self._counted + timedelta(seconds=MINUTE)
            await self._database.write(count_incoming, self._counted, following)
            self._counted = following

    async def drop(self) -> None:
        """Delete what is over its age."""
        now = await self._database.read(believed, self._clock.now())
        await self._database.write(drop_buckets, now)
        await self._database.write(drop_marks, now)
