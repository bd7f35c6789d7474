"""Files of messages that came in: fetched in the background, again after errors, for a day; then who asked is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter

import peewee
import structlog
import trio
from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.errors import PluginError, StorageError, UnavailableError
from wagate.events import Event, kinds
from wagate.hooks.contracts import Target
from wagate.media.failure import NotFetchedError
from wagate.media.pace import FIRST_REST, Pace, delay
from wagate.media.source import Source
from wagate.plugins.wall import whose
from wagate.storage import media as rows
from wagate.storage.clock_marks import ABSENCE
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake, Route, Stored, store
from wagate.storage.events.listing import get_event
from wagate.storage.media import MEDIA_ID, PENDING, Kept, MediaRow

MOST_ATTEMPTS = 6
"""Tries that failed for the file's own sake."""
LONGEST = timedelta(hours=24)
"""A file that failed again so long after its message is given up, whatever failed."""
LEASE = timedelta(minutes=15)
"""How long an attempt is another process's own; longer than a download may take."""
LOOK = 30.0
"""Seconds between looks for what is due when nothing rings: retries of another process that died."""
BATCH = 20
DISK_WAIT = 30.0
"""Seconds until the next try when our own disk or database took no more."""

log = structlog.get_logger("wagate.media")
Routes = Callable[[str, Target, Event], tuple[Route, ...]]
"""(handler, target, event) → its delivery; none when there is no such handler any more."""
Ring = Callable[[Sequence[Stored]], None]

_ABOUT = ("aliases", "group_name", "source")
"""What of the message's ``extra`` leads to its chat."""


class Fetcher:
    """The task that fetches, and the ear for those who ask for a file before it is there."""

    def __init__(self, source: Source, late: LateFiles, clock: Clock, *, eager: bool) -> None:
        """``eager``: fetch what nobody asked for or follows yet (``media.fetch``)."""
        self._source = source
        self._late = late
        self._database: Database = source.database
        self._clock = clock
        self._eager = eager
        self._began = clock.now()
        self._apart = clock.time() - clock.monotonic()
        self._pace = Pace()
        self._fetching: set[str] = set()
        self._ours_until: dict[str, float] = {}
        """Until when nobody else begins a try of these (monotonic)."""
        self._asked: Counter[str] = Counter()
        self._tried: dict[str, float] = {}
        """When a file that somebody asks for was last tried (monotonic)."""
        self._wake = trio.Event()
        self._settled = trio.Event()

    def ring(self, stored: Sequence[Stored]) -> None:
        """Events were stored; those with files begin now."""
        if self._eager and any(each.file for each in stored):
            self._wake.set()

    async def wait_for(self, media_id: str, *, client_id: int | None, patience: float) -> MediaRow:
        """The file's row as soon as it is pending no more; a pending one is tried now.

        Raises:
            NotFoundError: no such file. UnavailableError: still pending after ``patience`` seconds.
        """
        with self._asking(media_id), trio.move_on_after(patience):
            while True:
                settled = self._settled
                row = await self._database.read(rows.get_media, media_id, client_id=client_id)
                if row.status != PENDING:
                    return row
                self._wake.set()
                # Another process may be the one that fetches it: look now and then.
                await self._clock.wait(settled, 1.0)
        raise UnavailableError("the file is still being fetched; try again", retry_after=10)

    @contextmanager
    def _asking(self, media_id: str) -> Iterator[None]:
        self._asked[media_id] += 1
        try:
            yield
        finally:
            self._asked[media_id] -= 1
            if not self._asked[media_id]:
                del self._asked[media_id]
                self._tried.pop(media_id, None)

    async def run(self) -> None:
        """Fetch what is due, for ever."""
        if self._database.dialect == "sqlite":
            # Nobody else has this database: what seems to be fetched was, by a process that is dead.
            await self._database.write(rows.resume, now=self._clock.now())
            await self._source.files.clear_before_start()
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                try:
                    for row in await self._due():
                        self._begin(row, nursery)
                    pause = await self._pause()
                except StorageError as error:
                    log.warning("media put off", reason=str(error))
                    pause = FIRST_REST
                await self._clock.wait(self._wake, pause)

    def _begin(self, row: MediaRow, nursery: trio.Nursery) -> None:
        if row.id not in self._fetching and self._pace.may_begin(row.account_id, self._clock.monotonic()):
            self._fetching.add(row.id)
            self._pace.begin(row.account_id)
            nursery.start_soon(self._fetch, row)

    async def _due(self) -> list[MediaRow]:
        """What may be fetched now: first what somebody waits for."""
        if self._pace.full:
            return []
        busy = self._pace.busy(self._clock.monotonic())
        found: list[MediaRow] = []
        now = self._clock.monotonic()
        asked = [each for each in self._asked if self._tried.get(each, -FIRST_REST) + FIRST_REST <= now]
        if asked:
            found += await self._database.read(rows.asked_for, asked, now=self._clock.now(), without=busy)
        found += await self._database.read(rows.due, now=self._clock.now(), without=busy, most=BATCH, every=self._eager)
        return found

    async def _pause(self) -> float:
        """Seconds until there may be something to do, unless somebody rings."""
        now = self._clock.monotonic()
        waits = [LOOK, *(wait for tried in self._tried.values() if (wait := tried + FIRST_REST - now) > 0)]
        rest = self._pace.next_start(now)
        if rest is not None:
            waits.append(rest)
        at = None if self._pace.full else await self._database.read(rows.next_due, every=self._eager)
        if at is not None and (wait := (at - self._clock.now()).total_seconds()) > 0:
            waits.append(wait)
        return min(waits)

    async def _fetch(self, row: MediaRow) -> None:
        try:
            now = self._clock.now()
            self._ours_until[row.id] = self._clock.monotonic() + LEASE.total_seconds() - DISK_WAIT
            if await self._database.write(rows.claim, row, now=now, until=now + LEASE):
                await self._try(row)
        except StorageError as error:
            log.warning("media put off", media_id=row.id, reason=str(error))
        finally:
            self._fetching.discard(row.id)
            del self._ours_until[row.id]
            self._pace.end(row.account_id)
            if row.id in self._asked:
                self._tried[row.id] = self._clock.monotonic()
            self._wake.set()
            self.settled()

    def followed(self) -> None:
        """Somebody waits for a file, however long it takes."""
        self._wake.set()

    def settled(self) -> None:
        """Whoever waits for a file looks again."""
        self._settled.set()
        self._settled = trio.Event()

    async def _try(self, row: MediaRow) -> None:
        began = perf_counter()
        outcome = "stored"
        try:
            kept = await self._source.fetch(row.id, partial(self._rest, row))
        except NotFetchedError as error:
            outcome = await self._not_fetched(row, error)
        except StorageError as error:
            outcome = f"postponed: {error}"
            at = self._clock.now() + timedelta(seconds=DISK_WAIT)
            await self._record(rows.postpone, row, str(error), at=at, spent=False)
        except Exception as error:
            log.exception("media failed", media_id=row.id, account=row.account, **whose(error))
            reason = str(error) if isinstance(error, PluginError) else "fetching failed; see the log"
            outcome = await self._not_fetched(row, NotFetchedError(reason))
        else:
            self._pace.succeeded(row.account_id)
            await self._written(lambda: self._late.keep(row.id, kept), row)
        ms = round((perf_counter() - began) * 1000, 1)
        log.info(
            "media fetched", media_id=row.id, account=row.account, outcome=outcome, ms=ms, attempt=row.attempts + 1
        )

    async def _not_fetched(self, row: MediaRow, error: NotFetchedError) -> str:
        self._charge(row, error)
        now, attempts, reason = self._clock.now(), row.attempts + 1, str(error)
        # How long its host is in trouble says nothing of the file.
        tried_enough = error.host is None and error.spent and attempts >= MOST_ATTEMPTS
        since = max(row.created_at, self._at_work())  # who was not there did not try
        if error.final or tried_enough or now - since > LONGEST:
            await self._record(rows.give_up, row, reason)
            return f"given up: {reason}"
        own = delay(attempts, of_host=error.host is not None)
        wait = max(own, error.after) if error.spent else error.after
        await self._record(rows.postpone, row, reason, at=now + timedelta(seconds=wait), spent=error.spent)
        return reason

    def _at_work(self) -> datetime:
        """Since when files are fetched here without a pause: the machine may have slept, or its clock be set ahead."""
        before, self._apart = self._apart, self._clock.time() - self._clock.monotonic()
        if self._apart - before >= ABSENCE.total_seconds():
            self._began = self._clock.now()
        return self._began

    def _rest(self, row: MediaRow, host: str) -> float:
        return self._pace.rest(_at(row, host), self._clock.monotonic())

    def _charge(self, row: MediaRow, error: NotFetchedError) -> None:
        """Slow down whom the error speaks of."""
        now = self._clock.monotonic()
        if error.host is not None:
            self._pace.failed(_at(row, error.host), now, at_least=error.after, counts=error.counted > 0)
        if error.counted:
            self._pace.count(row.account_id, now, most=error.counted)

    async def _record(self, write: Callable[..., None], row: MediaRow, what: object, **more: datetime | bool) -> None:
        await self._written(lambda: self._database.write(write, row.id, what, now=self._clock.now(), **more), row)

    async def _written(self, write: Callable[[], Awaitable[None]], row: MediaRow) -> None:
        """Write down how it went, as long as the try is ours: else nobody would go on with it before. StorageError."""
        while True:
            try:
                return await write()
            except StorageError as error:
                if self._clock.monotonic() > self._ours_until[row.id]:
                    raise
                log.warning("media not written down yet", media_id=row.id, reason=str(error))
            await self._clock.sleep(FIRST_REST)


def _at(row: MediaRow, host: str) -> str:
    """Who is slowed down by a host's errors: the account, or that host for that account."""
    return f"{row.account_id} {host}" if host else row.account_id


class LateFiles:
    """Keeps files, and tells those who follow them."""

    def __init__(self, database: Database, clock: Clock, *, routes: Routes, ring: Ring) -> None:
        self._database = database
        self._clock = clock
        self._routes = routes
        self._ring = ring

    async def follow(self, media_id: str, *, handler: str, target: str) -> bool:
        """Tell a target when the file comes; False: it is here, or is none that can come."""
        return await self._database.write(rows.follow, media_id, handler, target, now=self._clock.now())

    async def keep(self, media_id: str, kept: Kept) -> None:
        """The file is on the disk. StorageError: that could not be written down."""
        self._ring(await self._database.write(self._keep, media_id, kept, self._clock.now()))

    def _keep(self, db: peewee.Database, media_id: str, kept: Kept, now: datetime) -> list[Stored]:
        followers = rows.keep(db, media_id, kept, now=now)
        if not followers:
            return []
        event = arrived(get_event(db, media_id), kept, now)
        routes = [each for handler, target in followers for each in self._routes(handler, Target(id=target), event)]
        return store(db, [Intake(event=event, routes=tuple(routes))]) if routes else []


def arrived(message: Event, kept: Kept, now: datetime) -> Event:
    """The event that a message's file came. Pure but for its id."""
    assert message.media is not None
    about = {name: message.extra[name] for name in _ABOUT if name in message.extra}
    return replace(
        message,
        id=str(uuid7()),
        kind=kinds.MEDIA_ARRIVED,
        created_at=now,
        content="",
        reply_to=None,
        media=replace(message.media, mimetype=kept.mimetype, filename=kept.filename, size=kept.size, caption=None),
        extra=about | {MEDIA_ID: message.id},
    )
