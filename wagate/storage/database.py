"""The database: one writer with group commit, a few readers, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import peewee
import trio

from wagate.batch_thread import BatchThread
from wagate.errors import StorageError
from wagate.storage.backend.dialect import Engine, disconnect, translated
from wagate.storage.backend.migrate import migrate
from wagate.storage.backend.postgres import Postgres
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.backend.writer import Counts, Work, Writer
from wagate.storage.fields import as_time, time_text
from wagate.storage.statement import for_update, rows, run

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
Fn = TypeVar("Fn", bound=Callable[..., Any])

FILE = "wagate.db"
MOST = 256
"""Calls in one transaction at most."""
LINGER = 0.002
"""Seconds that the writer waits for more when load is high; see docs/adr/0007-group-commit.md."""
READERS = 3
PAGE_READERS = 2
PAGE_SECONDS = 2.0
"""What one read for a page may take."""
_BEAT = "INSERT INTO heartbeats (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"


class Turns:
    """One at a time for each client, so that nobody's slow lists keep all readers from the others."""

    def __init__(self) -> None:
        self._locks: dict[object, trio.Lock] = {}

    @asynccontextmanager
    async def take(self, client: object) -> AsyncIterator[None]:
        """Wait for this client's turn; None waits for nobody."""
        if client is None:
            yield
            return
        lock = self._locks.setdefault(client, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(client, None)


class Readers:
    """A few connections with threads of their own: whoever waits for one waits for its users alone."""

    def __init__(self, engine: Engine, count: int, *, seconds: float | None = None) -> None:
        """``seconds`` is how long one read may take; None: as long as the engine lets it."""
        self._engine = engine
        self._seconds = seconds
        self._idle: deque[peewee.Database] = deque(engine.open(writer=False) for _ in range(count))
        # Blocked reads must not use up trio's common threads.
        self._limiter = trio.CapacityLimiter(count)

    async def run(self, fn: Callable[[peewee.Database], T]) -> T:
        """Run ``fn(db)`` on one consistent state. Raises StorageError."""
        return await trio.to_thread.run_sync(self._run, fn, limiter=self._limiter)

    def close(self) -> None:
        """Close all connections."""
        for db in self._idle:
            disconnect(db)

    def _run(self, fn: Callable[[peewee.Database], T]) -> T:
        db = self._idle.pop()
        try:
            return self._snapshot(db, fn)
        except Exception as error:
            if self._engine.lost(error):
                disconnect(db)
            ours = translated(self._engine, error)
            if ours is error:  # an error raised from itself is an endless chain
                raise
            raise ours from error
        finally:
            self._idle.append(db)

    def _snapshot(self, db: peewee.Database, fn: Callable[[peewee.Database], T]) -> T:
        try:
            self._begin(db)
        except Exception as error:
            if not self._engine.lost(error):
                raise
            disconnect(db)
            self._begin(db)
        try:
            return fn(db)
        finally:
            self._end(db)

    def _begin(self, db: peewee.Database) -> None:
        db.execute_sql(self._engine.snapshot)
        if self._seconds is not None:
            self._engine.limit(db, self._seconds)

    def _end(self, db: peewee.Database) -> None:
        try:
            if self._seconds is not None:
                self._engine.limit(db, None)
            db.execute_sql("ROLLBACK")
        except Exception:  # noqa: BLE001  (the connection is broken: a new one is made for the next read)
            disconnect(db)


def bulk(fn: Fn) -> Fn:
    """Mark a function that takes ``(db, items)`` and returns one result for each item, for `Database.write_bulk`."""
    fn.bulk = True  # type: ignore[attr-defined]
    return fn


def apart(fn: Fn) -> Fn:
    """Mark a function that changes no delivery that is there already, no target, endpoint, client, event or lane of it.

    Or does so only to record what its caller tells `wagate.consumers.memory` as well.
    """
    fn.apart = True  # type: ignore[attr-defined]
    return fn


class Database:
    """Runs functions on the database, in its threads.

    They are called with a peewee database and run their queries on it: ``query.execute(db)``,
    ``db.execute_sql(sql, params)``. They hold no transaction of their own, keep nothing between calls (a batch that
    meets another process's transaction is run again whole), and return plain data, never model objects.
    """

    def __init__(self, engine: Engine, *, readers: int = READERS) -> None:
        """Call inside trio. `open_database` also migrates and closes."""
        self._engine = engine
        self._writer = Writer(engine)
        self._thread: BatchThread[Work, Any] = BatchThread("wagate-writer", self._writer.run, most=MOST, linger=LINGER)
        self._readers = Readers(engine, readers)
        self._page_readers = Readers(engine, PAGE_READERS, seconds=PAGE_SECONDS)
        self._turns = Turns()

    @property
    def dialect(self) -> Literal["sqlite", "postgres"]:
        """Which kind it is."""
        return self._engine.dialect

    @property
    def where(self) -> str:
        """For people: the file, or host and database; never a password."""
        return self._engine.where

    @property
    def counts(self) -> Counts:
        """What the writer has done since the start, for metrics."""
        return self._writer.counts

    @property
    def epoch(self) -> int:
        """What was read or written is still so while this has not moved since before that; see `Writer.epoch`.

        Says nothing of what other processes write.
        """
        return self._writer.epoch

    async def write(self, fn: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn(db, …)`` in the writer; committed, with fsync, when this returns.

        Raises:
            StorageError: the database could not; nothing of this call was stored.
            Exception: whatever ``fn`` raised; its changes are undone, those of others are not.
        """
        work = Work(_with_keywords(fn, kwargs) if kwargs else fn, args, apart=_is_apart(fn))
        result: T = await self._submit(work)
        return result

    async def write_bulk(self, fn: Callable[[Any, list[T]], list[R]], item: T) -> R:
        """Run one item of a `bulk` function; items that wait for the same function are one call.

        When that call fails, its items are run one by one, so that a bad one costs only itself. Raises as `write`.
        """
        if not getattr(fn, "bulk", False):
            raise TypeError(f"{fn!r} is not marked @bulk")
        result: R = await self._submit(Work(fn, (item,), apart=_is_apart(fn), bulk=True))
        return result

    async def read(self, fn: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn(db, …)``, which only reads, on one consistent state in a thread of the readers.

        For what messages wait for: quick look-ups. Lists and counts are `browse`'s.

        Raises:
            StorageError: the database could not.
        """
        return await self._readers.run(lambda db: fn(db, *args, **kwargs))

    async def browse(self, fn: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, for somebody who looks at pages: by readers of their own, so that no message waits for a list.

        With ``client_id`` among the arguments it is that client's: of one client's reads one runs at a time.

        Raises:
            StorageError: the database could not, or it took more than 2 s.
        """
        async with self._turns.take(kwargs.get("client_id")):
            return await self._page_readers.run(lambda db: fn(db, *args, **kwargs))

    async def close(self) -> None:
        """Finish what is waiting, then close all connections."""
        await self._thread.close()
        self._writer.close()
        self._readers.close()
        self._page_readers.close()

    async def _submit(self, work: Work) -> Any:
        try:
            return await self._thread.submit(work)
        except RuntimeError as error:
            if "is closed" in str(error):
                raise StorageError(f"{self.where}: closed") from error
            raise


def engine_at(url: str, folder: Path) -> Engine:
    """The engine that ``database.url`` names: '' is a SQLite file in ``folder``, ``sqlite:///path`` another file."""
    if url.startswith(("postgresql://", "postgres://")):
        return Postgres(url)
    return Sqlite(Path(url.removeprefix("sqlite:///")) if url else folder / FILE)


@asynccontextmanager
async def open_database(url: str, folder: Path, *, readers: int = READERS) -> AsyncIterator[Database]:
    """Open, migrate, hand out, close.

    Raises:
        StorageError: it can't be reached, or was made by a newer wagate.
        ConfigError: the URL can't be read, or its driver is not installed.
    """
    database = Database(engine_at(url, folder), readers=readers)
    try:
        await database.write(migrate, database.dialect, database.where)
        yield database
    finally:
        with trio.CancelScope(shield=True):
            await database.close()


def _is_apart(fn: Callable[..., Any]) -> bool:
    return bool(getattr(fn.func if isinstance(fn, partial) else fn, "apart", False))


def _with_keywords(fn: Callable[..., T], kwargs: dict[str, Any]) -> Callable[..., T]:
    return lambda db, *args: fn(db, *args, **kwargs)


@apart
def beat(db: peewee.Database, name: str, now: datetime) -> None:
    """Write that ``name`` was alive now."""
    run(db, _BEAT, (name, time_text(now)))


def last_beat(db: peewee.Database, name: str, *, lock: bool = False) -> datetime | None:
    """When ``name`` was alive last. ``lock``: keep other processes from writing it until the commit."""
    text = "SELECT at FROM heartbeats WHERE name = ?"
    return next((as_time(at) for (at,) in rows(db, text + for_update(db, lock=lock), (name,))), None)
