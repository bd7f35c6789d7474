"""Counts tries in memory and writes them down once a minute, so that the charts cost a delivery nothing."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import Final

import structlog

from wagate.clock import Clock
from wagate.outbound.context import OUTBOUND
from wagate.storage.database import Database
from wagate.storage.minutes import LAGS, MINUTE, Bucket, add_buckets, count_incoming, drop_buckets, note_sent, start_of

MOST: Final = 50_000
"""Buckets in memory. When the database takes nothing for long, the figures of further targets are lost."""
BEHIND: Final = timedelta(minutes=15)
"""What came in is counted for so long back, after the process was away or the database was."""

log = structlog.get_logger("wagate.process.minutes")


class Minutes:
    """This process's part of the figures."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
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
        found, self._found = self._found, {}
        sent, self._sent = self._sent, {}
        try:
            if found:
                await self._database.write(add_buckets, list(found.values()))
            if sent:
                await self._database.write(note_sent, sent)
        except BaseException:
            self._found = found | self._found
            self._sent = sent | self._sent
            raise
        await self._count_incoming()

    async def _count_incoming(self) -> None:
        end = start_of(self._clock.now(), MINUTE)
        self._counted = max(self._counted, end - BEHIND)
        while self._counted < end:
            following = self._counted + timedelta(seconds=MINUTE)
            await self._database.write(count_incoming, self._counted, following)
            self._counted = following

    async def drop(self) -> None:
        """Delete what is over its age."""
        await self._database.write(drop_buckets, self._clock.now())
