"""Sees the machine's clock set back, and moves what waits with it; or set ahead, and lets it wait for longer.

The queue needs little of that: its own clock never steps back (``layout.lua``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import peewee
import structlog

from wagate.clock import Clock
from wagate.consumers.queues import Queues
from wagate.errors import QueueError, StorageError
from wagate.storage.clock_marks import ABSENCE, mark_time
from wagate.storage.database import Database
from wagate.storage.deliveries.due import claim_step, move_elsewhere, move_open, note_absence
from wagate.storage.deliveries.ends import move_ends, owed

T = TypeVar("T")

log = structlog.get_logger("wagate.consumers")

LOOK = 1.0
"""Seconds between two looks at the clocks."""
MARK = 30.0
"""Seconds between two marks in the table."""
STEP = 1.0
"""Seconds by which wall time falls behind monotonic time in one look, to be called a step."""
QUIET = 30.0
"""Seconds without a heartbeat that reached Redis, after which nobody is at work: no mark is made."""
WHILE_AWAY = timedelta(minutes=1)
"""A step while no process ran is called one from here on: machines that share a database are less apart."""


class ClockSteps:
    """A task in every process."""

    def __init__(
        self, database: Database, queues: Queues, clock: Clock, *, recover: float, moved: Callable[[], None]
    ) -> None:
        """``recover``: `Policy.recover`. ``moved`` is called when probes were moved."""
        self._recover = recover
        self._database = database
        self._queues = queues
        self._clock = clock
        self._moved = moved
        self._away = False
        """Whether nobody may have been at work since the last mark."""
        self._unheard = False
        """Whether Redis was away at a look, and the consumer has not been round since."""

    async def begin(self) -> None:
        """Before anything is tried, or given up: time in which nobody was at work counts for nothing."""
        await self.note()
        try:
            await self._finish()
        except StorageError as error:
            log.warning("not all that waits was given more time yet", reason=str(error))

    async def note(self) -> None:
        """If nobody was at work until now, that is written down; `run` does the rest, and tries again."""
        try:
            away = await self._database.write(note_absence, self._clock.now(), self._recover)
        except StorageError as error:
            log.warning("absence not noted", reason=str(error))
            self._away = True
        else:
            if away is not None:
                log.info("nobody was at work", seconds=round(away.total_seconds()))

    def went_round(self) -> None:
        """The consumer has heard of all parts of the queue; if it was away, `note` was called before."""
        self._unheard = False

    async def run(self) -> None:
        """Look for ever. A database that is away is asked again at the next look."""
        before, marked_at = self._apart(), -MARK
        seen: timedelta | None = None
        unsure = True
        while True:
            apart = self._apart()
            if apart - before < -STEP:
                log.warning("the machine's clock was set back", seconds=round(before - apart))
                seen = (seen or timedelta()) + timedelta(seconds=before - apart)
            if apart - before >= ABSENCE.total_seconds():
                log.warning("the machine's clock was set ahead", seconds=round(apart - before))
                self._away = True
            before = apart
            # One part may answer while the consumer still waits for another: a mark would hide that it was away.
            self._unheard = self._unheard or self._quiet()
            try:
                if self._away:
                    self._away = False
                    await self.note()
                    await self._finish()
                if (seen or unsure) and await self.correct(seen):
                    log.info("what waits was moved with the clock")
                seen, unsure = None, False
                if self._clock.monotonic() - marked_at >= MARK and not (self._away or self._unheard):
                    await self._finish()
                    await self._database.write(mark_time, self._clock.now())
                    marked_at = self._clock.monotonic()
            except StorageError as error:
                log.warning("clock not marked", reason=str(error))
                self._away = True
            await self._clock.sleep(LOOK)

    async def correct(self, seen: timedelta | None) -> bool:
        """Move what waits, if nobody else did; whether it was moved. StorageError.

        ``seen`` is how far the clock was set back; None: that is to be found out.
        """
        now = self._clock.now()
        least = timedelta() if seen else WHILE_AWAY
        if seen:
            await self._tell_queues()
        back = await self._database.write(partial(claim_step, least=least, seen=seen), now)
        if back is None:
            return False
        # It is ours alone to finish from here on, whatever it takes.
        await self._write(partial(move_elsewhere, back=back, now=now))
        self._moved()
        after: str | None = ""
        while after is not None:
            keys, after = await self._write(partial(move_open, after=after, back=back, now=now))
            await self._look_again(keys)
        await self._finish()
        return True

    async def _finish(self) -> None:
        """Go through what waits, slice by slice, also where a process left off that is dead. StorageError."""
        while await self._database.read(owed):
            await self._database.write(move_ends, self._clock.now())

    def _quiet(self) -> bool:
        """Whether Redis is away: no shard of the queue answers, and `note` is called when one does again."""
        return all(each.silence >= QUIET for each in self._queues.push.shards)

    async def _write(self, move: Callable[[peewee.Database], T]) -> T:
        while True:
            try:
                return await self._database.write(move)
            except StorageError as error:
                log.warning("not moved with the clock yet", reason=str(error))
            await self._clock.sleep(LOOK)

    async def _tell_queues(self) -> None:
        try:
            await self._queues.look_at_clock()
        except QueueError as error:
            log.warning("queues not told of the clock", reason=str(error))

    async def _look_again(self, keys: list[tuple[str, str, str]]) -> None:
        """Have the queue ask for these keys' rows again: it may have been told of the old times."""
        try:
            await self._queues.push.nudge(sorted({key for mode, _, key in keys if mode == "push"}))
            for target in sorted({target for mode, target, _ in keys if mode == "pull"}):
                await self._queues.pull(target).nudge(sorted({key for _, each, key in keys if each == target}))
        except QueueError as error:
            log.warning("keys not asked for again", reason=str(error))

    def _apart(self) -> float:
        return self._clock.time() - self._clock.monotonic()
