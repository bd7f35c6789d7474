"""How many deliveries of a client wait, and how long deliveries have taken: figures that no answer waits for."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from datetime import datetime

import msgspec
import structlog
from peewee import Database as Peewee

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.storage.deliveries.target_list import WAITING
from wagate.storage.fields import as_time
from wagate.storage.statement import rows

log = structlog.get_logger("wagate.inbound.position")

FRESH = 1.0
"""Seconds between two counts at least."""
SHARE = 50
"""A count that took a second is followed by so many without one."""
REMEMBERED = 100
BEFORE_ANY = "2-5 seconds"
"""The specification's own estimate, until there are figures."""


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one connector's targets."""

    waiting: int
    """Deliveries that are not settled."""
    oldest: datetime
    """When the first of them was stored."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one moment."""

    events: Counter[tuple[int, str]]
    """By client and mode (push, pull): events with deliveries that wait; jobs under a lease don't."""
    deliveries: int
    """All that are not done."""
    owed: Mapping[str, Owed]
    """By connector; ``outbound``: messages that leave by our numbers."""


class Positions:
    """Counted beside the traffic, added to by each answer in between; durations of the last 100 from memory."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: Counter[tuple[int, str]] = Counter()
        self._since: Counter[tuple[int, str]] = Counter()
        self._durations: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.deliveries = 0
        """Deliveries that are not done, by the last count."""
        self.owed: Mapping[str, Owed] = {}
        """By connector, likewise."""

    async def run(self) -> None:
        """Count again and again; a task. A count takes a fiftieth of the time at most, however much waits."""
        while True:
            began = self._clock.monotonic()
            try:
                await self.count()
            except StorageError as error:
                log.warning("what waits not counted", reason=str(error))
            await self._clock.sleep(max(FRESH, SHARE * (self._clock.monotonic() - began)))

    async def count(self) -> None:
        """Count now. StorageError: the old figures stay."""
        since: Counter[tuple[int, str]] = Counter()
        self._since = since
        waiting = await self._database.browse(count_waiting)
        self.deliveries, self.owed = waiting.deliveries, waiting.owed
        self._waiting = waiting.events + since

    def note_done(self, client_id: int, seconds: float) -> None:
        """A delivery of this client was done, so long after it came in."""
        self._durations[client_id].append(seconds)

    def note_pulled(self, client_id: int) -> None:
        """A worker has taken a job of this client."""
        self._add((client_id, "pull"), -1)

    def of(self, client_id: int, *, added: int, pull: bool) -> tuple[int, str]:
        """Place in the queue of a delivery just stored (``added`` 1), or of one stored before (0), and the estimate.

        ``pull``: workers take it, so it stands in their queue; else among the events that are on their way to targets.
        """
        key = (client_id, "pull" if pull else "push")
        self._add(key, added)
        return max(1, self._waiting[key]), estimate(self._durations.get(client_id, ()))

    def _add(self, key: tuple[int, str], jobs: int) -> None:
        self._waiting[key] += jobs
        self._since[key] += jobs


def estimate(durations: deque[float] | tuple[()]) -> str:
    """``p50-p95 seconds``, whole seconds, rounded up."""
    if len(durations) < 2:
        return BEFORE_ANY
    cuts = statistics.quantiles(durations, n=20, method="inclusive")
    middle, high = max(1, math.ceil(cuts[9])), max(1, math.ceil(cuts[18]))
    return f"{middle}-{max(high, middle)} seconds"


def count_waiting(database: Peewee) -> Waiting:
    """Count what is not done: a walk through each of two indexes that hold nothing else but what failed."""
    text = (
        "SELECT client_id, mode, status = 'delivering', COUNT(DISTINCT event_id), COUNT(*) FROM deliveries "
        "WHERE status <> 'delivered' AND (status || '') IN ('pending', 'delivering') "
        "GROUP BY client_id, mode, status = 'delivering'"
    )
    events: Counter[tuple[int, str]] = Counter()
    deliveries = 0
    for client_id, mode, taken, distinct, count in rows(database, text):
        deliveries += count
        if mode == "push" or not taken:
            events[client_id, mode] += distinct
    return Waiting(events=events, deliveries=deliveries, owed=_owed(database))


def _owed(database: Peewee) -> dict[str, Owed]:
    found: dict[str, Owed] = {}
    for target, count, oldest in rows(database, WAITING.format(which="")):
        connector, at = target.partition(":")[0], as_time(oldest)
        assert at is not None  # every delivery has one
        before = found.get(connector, Owed(waiting=0, oldest=at))
        found[connector] = Owed(waiting=before.waiting + count, oldest=min(before.oldest, at))
    return found
