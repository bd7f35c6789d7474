"""What a process has counted is written once, also when the answer to a commit got lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import peewee
import trio

from wagate.clock import Clock
from wagate.storage.database import Database, apart, beat, last_beat
from wagate.storage.fields import time_text
from wagate.storage.statement import lock, run

Write = Callable[[peewee.Database], None]
Pending = tuple[str, datetime]

PART: Final = "part:"
"""Begins the names of their marks among the heartbeats."""
KEPT: Final = timedelta(days=7)
"""So long a part whose writing broke off is known to be written, or not."""


class Once:
    """One process's parts of a sum. Each is marked in its own commit: what is marked is not added again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._name = f"{PART}{uuid4()}"
        self._last = datetime.min.replace(tzinfo=UTC)
        self._part: Write | None = None
        """Perhaps written: it stays as it is until that is known."""
        self._turn = trio.Lock()

    @property
    def pending(self) -> Pending | None:
        """What is being written, or broke off: to ask `is_written` of; None: nothing."""
        return None if self._part is None else (self._name, self._last)

    async def write(self, take: Callable[[], Write | None]) -> None:
        """Write what broke off the last time, and then what ``take`` hands over, if anything.

        Raises:
            StorageError: what was handed over is kept for the next time; what was not is not taken.
        """
        async with self._turn:
            await self._finish()
            self._part = take()
            self._last = max(self._clock.now(), self._last + timedelta(microseconds=1))
            await self._finish()

    async def _finish(self) -> None:
        if self._part is not None:
            await self._database.write(_once, self._part, self._name, self._last)
            self._part = None


def is_written(db: peewee.Database, part: Pending) -> bool:
    """Whether this part is there."""
    name, at = part
    return last_beat(db, name) == at


@apart
def _once(db: peewee.Database, part: Write, name: str, at: datetime) -> None:
    # The commit whose answer got lost may still run: who looks for its mark before it ends would find none.
    lock(db, name)
    if last_beat(db, name) != at:
        beat(db, name, at)
        part(db)


def drop_marks(db: peewee.Database, now: datetime) -> int:
    """Delete the marks of processes that are long gone; how many."""
    return run(db, "DELETE FROM heartbeats WHERE name LIKE ? AND at < ?", (f"{PART}%", time_text(now - KEPT)))
