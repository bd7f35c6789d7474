"""Connections that only read, each used by one thread at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import peewee
import trio

from wagate.storage.backend.dialect import Engine, disconnect, translated

T = TypeVar("T")


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
