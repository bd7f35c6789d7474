"""Probe targets that are down: one delivery each, when the time has come."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import structlog
import trio

from wagate.clock import Clock
from wagate.consumers.elsewhere import Elsewhere
from wagate.consumers.pool import Pool, bucket_of
from wagate.queue.wakeup import Wakeup
from wagate.storage.database import Database
from wagate.storage.deliveries.targets import claim_probe, down_targets

log = structlog.get_logger("wagate.consumers")

LOOK = 5.0
"""Seconds between looks into the table: other processes see targets go down too."""
CLAIM = 120.0
"""Seconds for which a claimed probe is left to its process; longer than a handler may take. A process that ends frees
its probes at once, by itself or through who takes over from it."""


class Prober:
    """Gives permits; the consumer uses them up."""

    def __init__(
        self,
        database: Database,
        pool: Pool,
        handlers: Collection[str],
        clock: Clock,
        wakeup: Wakeup,
        *,
        process: str,
        elsewhere: Elsewhere,
    ) -> None:
        """``process``: our name, under which we claim probes. ``elsewhere``: targets that others probe."""
        self._process = process
        self._elsewhere = elsewhere
        self._database = database
        self._pool = pool
        self._handlers = handlers
        self._clock = clock
        self._wakeup = wakeup
        self._rung = trio.Event()

    def ring(self) -> None:
        """A target went down or came up."""
        self._rung.set()

    async def run(self) -> None:
        """Look, claim what is due, wait for what is due next; a task."""
        while True:
            asked = self._clock.monotonic()
            seconds = await self._look()
            passed = self._clock.monotonic() - asked
            if await self._clock.wait(self._rung, seconds - passed):
                self._rung = trio.Event()

    async def _look(self) -> float:
        """Claim what is due; seconds until the next look."""
        now = self._clock.now()
        seconds = LOOK
        for target in await self._database.read(down_targets):
            if target.id.partition(":")[0] not in self._handlers or self._elsewhere.asks(bucket_of(target.id)):
                continue
            left = (target.next_probe_at - now).total_seconds()
            if left > 0:
                seconds = min(seconds, left)
            elif await self._database.write(claim_probe, target, now + timedelta(seconds=CLAIM), self._process):
                self._pool.permit(bucket_of(target.id))
                self._wakeup.ring()
        return seconds
