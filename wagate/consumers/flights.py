"""Deliveries under way, and the mark on those that take long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.storage.deliveries.lanes import Head, put_back
from wagate.storage.deliveries.outcomes import mark_delivering, unmark

log = structlog.get_logger("wagate.consumers")

LONG = 0.5
"""Seconds after which a delivery is shown as ``delivering``."""


class Flights:
    """What handlers are doing right now."""

    def __init__(self, database: Database, clock: Clock, claimed_by: str | None = None) -> None:
        """``claimed_by``: our name in the rows of what we try; None: nobody else could."""
        self._claimed_by = claimed_by
        self._database = database
        self._clock = clock
        self._flying: dict[str, tuple[int, float]] = {}
        self._marked: set[str] = set()

    def __len__(self) -> int:
        """How many."""
        return len(self._flying)

    @contextmanager
    def flight(self, head: Head) -> Iterator[None]:
        """One delivery is under way."""
        self._flying[head.id] = (head.attempt_count, self._clock.monotonic())
        try:
            yield
        finally:
            del self._flying[head.id]

    def written(self, head: Head) -> None:
        """Its outcome is in the tables, the mark is gone."""
        self._marked.discard(head.id)

    async def put_back(self, head: Head) -> None:
        """It was not tried after all, and waits again."""
        if head.id in self._marked:
            await self.unmark(head.id)
        if self._claimed_by is not None:
            try:
                await self._database.write(put_back, head.id, self._claimed_by)
            except StorageError as error:
                log.warning("claim not given back", reason=str(error))

    async def keep_marking(self) -> None:
        """Mark what takes long; a task."""
        while True:
            await self._clock.sleep(LONG)
            before = self._clock.monotonic() - LONG
            slow = [(name, tries) for name, (tries, began) in self._flying.items() if began <= before]
            fresh = [(name, tries) for name, tries in slow if name not in self._marked]
            if fresh:
                # First in the row of writes: an outcome that comes now is written after it.
                self._marked.update(name for name, _ in fresh)
                await self._database.write(mark_delivering, fresh, self._clock.now())

    async def unmark(self, *ids: str) -> None:
        """These wait again; without any, all that are still marked (at a stop)."""
        marked = ids or tuple(self._marked)
        if marked:
            try:
                await self._database.write(unmark, marked, self._clock.now())
            except StorageError as error:
                log.warning("marks not removed", reason=str(error))
            self._marked.difference_update(marked)
