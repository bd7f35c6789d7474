"""Put back what the queue does not know, and let time do its work: the tables are the truth."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import structlog
import trio

from wagate.clock import Clock
from wagate.consumers.pool import Pool, bucket_of
from wagate.consumers.queues import Queues, doorbell
from wagate.errors import QueueError
from wagate.queue.queue import Queue
from wagate.queue.results import Pumped
from wagate.queue.shards import Shards
from wagate.rules.states import Policy
from wagate.storage.clock_marks import ABSENCE
from wagate.storage.database import Database
from wagate.storage.deliveries.due import end_leases, give_up
from wagate.storage.deliveries.lanes import OpenLane, open_lanes
from wagate.storage.deliveries.targets import target_states
from wagate.storage.events.intake import StoredDelivery

log = structlog.get_logger("wagate.consumers")

EVERY = 30.0
SLICE = 500
"""Lanes looked at in one go."""
PAUSE = 1.0
"""Seconds between sweeps at least, however long they take."""
AWAY = 1.0
"""Seconds between tries while Redis is away."""


class Sweeper:
    """Sweeps at the start, every 30 s, and when it is rung."""

    def __init__(
        self,
        database: Database,
        queues: Queues,
        pool: Pool,
        policy: Policy,
        clock: Clock,
        *,
        handlers: Collection[str],
    ) -> None:
        """``handlers``: names of those enabled; what belongs to others is not given up."""
        self._handlers = handlers
        self._database = database
        self._queues = queues
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._rung = trio.Event()
        self._apart = clock.time() - clock.monotonic()
        self._broken = False
        """Whether Redis was away at the last sweep."""
        self._unsure = False
        """Whether that was so, or the clock was set ahead since: then `ClockSteps` gives more time first."""

    def ring(self) -> None:
        """Sweep soon: the queue may have forgotten something."""
        self._rung.set()

    def see(self, pumped: Pumped, most: int) -> None:
        """Sweep when ids were refused and there is room again."""
        if pumped.overflow and pumped.depth < most / 2:
            self.ring()

    async def run(self) -> None:
        """Sweep for ever; a task."""
        while True:
            self._rung = trio.Event()
            began = self._clock.monotonic()
            try:
                await self.sweep()
            except QueueError as error:
                self._broken = True
                log.warning("sweep broken off", reason=str(error))
                await self._clock.sleep(AWAY)
            else:
                passed = self._clock.monotonic() - began
                await self._clock.wait(self._rung, max(EVERY - passed, PAUSE))

    async def sweep(self) -> int:
        """Go through all open lanes once; how many were put back. QueueError, StorageError: broken off."""
        before, self._apart = self._apart, self._clock.time() - self._clock.monotonic()
        self._unsure = self._broken or self._apart - before >= ABSENCE.total_seconds()
        await self._queues.push.clear_overflow()
        restored, after = 0, ""
        while lanes := await self._database.read(open_lanes, after, SLICE):
            after = lanes[-1].key
            put_back, full = await self._slice(lanes)
            restored += put_back
            if full:
                break
        await self._reopen()
        self._broken = False
        if restored:
            log.info("lanes put back", lanes=restored)
        return restored

    async def _slice(self, lanes: Sequence[OpenLane]) -> tuple[int, bool]:
        """Lanes put back, and whether the queue is full."""
        push = [lane for lane in lanes if lane.mode == "push"]
        pull = [lane for lane in lanes if lane.mode == "pull"]
        await self._give_up(push)
        put_back, full = await self._put_back(self._queues.push, push)
        if not self._unsure:
            await self._end_leases(pull)
        for target in {lane.target_id for lane in pull}:
            mine = [lane for lane in pull if lane.target_id == target]
            restored, _ = await self._put_back(self._queues.pull(target), mine)
            put_back += restored
        self._queues.wake(push=bool(push), pull=bool(pull))
        return put_back, full

    async def _put_back(self, queue: Queue | Shards, lanes: Sequence[OpenLane]) -> tuple[int, bool]:
        missing = set(await queue.missing([lane.key for lane in lanes]))
        bells = [
            doorbell(StoredDelivery(lane.key, lane.target_id, lane.id, lane.mode))
            for lane in lanes
            if lane.key in missing
        ]
        refused = await queue.enqueue(bells)
        return len(bells) - refused, refused > 0

    async def _give_up(self, lanes: Sequence[OpenLane]) -> None:
        if not lanes or self._policy.recover == 0 or self._unsure:
            return
        states = await self._database.read(target_states, {lane.target_id for lane in lanes})
        now = self._clock.now()
        before = now - timedelta(seconds=self._policy.recover)
        down = {
            name
            for name, state in states.items()
            if state.down and not state.paused and (state.resumed_at is None or state.resumed_at <= before)
        }
        ours = [lane for lane in lanes if lane.handler in self._handlers and lane.target_id in down]
        keys = [lane.key for lane in ours if lane.created_at <= before]
        if keys:
            reason = f"gave up after {self._policy.recover / 3600:g}h"
            lost = await self._database.write(give_up, keys, before=before, now=now, reason=reason)
            log.warning("gave up deliveries", lanes=len(lost))

    async def _end_leases(self, lanes: Sequence[OpenLane]) -> None:
        if lanes:
            await self._database.write(end_leases, [lane.key for lane in lanes], self._clock.now())

    async def _reopen(self) -> None:
        """Targets that another process, or somebody by hand, opened: their parked keys go on."""
        shut = self._pool.closed
        openings = self._pool.openings
        states = await self._database.read(target_states, shut)
        shut_still = {bucket_of(name) for name, state in states.items() if state.closed}
        for bucket in shut - shut_still:
            if not self._pool.opened_since(bucket, openings):
                # What is still closed for another reason is parked again when its row is read.
                self._pool.open(bucket)
        if shut - shut_still:
            self._queues.wake(push=True, pull=False)
