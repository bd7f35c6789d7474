"""Stores what was left for later of events for very many receivers, and tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.storage.events.intake import StoredDelivery
from wagate.storage.events.later import CLIENT, ID, KEY, MODE, TARGET, store_later

LOOK = 10.0
"""Seconds between looks for what a process left that ended, or could not be stored."""

log = structlog.get_logger("wagate.consumers")


class FanOut:
    """One slice after the other, each in a commit of its own; others' commits come in between."""

    def __init__(self, database: Database, clock: Clock, tell: Callable[[Sequence[StoredDelivery]], None]) -> None:
        """``tell`` of each slice that was stored."""
        self._database = database
        self._clock = clock
        self._tell = tell
        self._rung = trio.Event()

    def ring(self) -> None:
        """Something waits."""
        self._rung.set()

    async def run(self) -> None:
        """For ever; a task. It begins with what an earlier process left."""
        while True:
            self._rung = trio.Event()
            try:
                while found := await self._database.write(store_later):
                    self._tell([StoredDelivery(r[KEY], r[TARGET], r[ID], r[MODE], r[CLIENT]) for r in found])
            except StorageError as error:
                log.warning("deliveries of a stored event wait", reason=str(error))
            await self._clock.wait(self._rung, LOOK)
