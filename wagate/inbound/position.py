"""How many deliveries of a client wait, and how long its deliveries have taken."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict, deque

import msgspec
from peewee import Database as Peewee

from wagate.clock import Clock
from wagate.storage.database import Database
from wagate.storage.statement import rows

FRESH = 1.0
"""Seconds for which a count from the table is trusted; what comes in meanwhile is added to it."""
REMEMBERED = 100
BEFORE_ANY = "2-5 seconds"
"""The specification's own estimate, until there are figures."""


class _Waiting(msgspec.Struct):
    count: int
    counted_at: float


class Positions:
    """Counts by the table, at most once a second for each client; durations of the last 100 from memory."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[tuple[int, str], _Waiting] = {}
        self._durations: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def note_done(self, client_id: int, seconds: float) -> None:
        """A delivery of this client was done, so long after it came in."""
        self._durations[client_id].append(seconds)

    async def of(self, client_id: int, *, added: int, pull: bool) -> tuple[int, str]:
        """Place in the queue of a delivery just stored (``added`` 1), or of one stored before (0), and the estimate.

        ``pull``: workers take it, so it stands in their queue; else among the events that are on their way to targets.
        """
        mode = "pull" if pull else "push"
        waiting = self._waiting.get((client_id, mode))
        if waiting is None or self._clock.monotonic() - waiting.counted_at > FRESH:
            count = await self._database.read(count_waiting, client_id, mode)
            waiting = self._waiting[client_id, mode] = _Waiting(count, self._clock.monotonic())
        else:
            waiting.count += added
        return max(1, waiting.count), estimate(self._durations.get(client_id, ()))


def estimate(durations: deque[float] | tuple[()]) -> str:
    """``p50-p95 seconds``, whole seconds, rounded up."""
    if len(durations) < 2:
        return BEFORE_ANY
    cuts = statistics.quantiles(durations, n=20, method="inclusive")
    middle, high = max(1, math.ceil(cuts[9])), max(1, math.ceil(cuts[18]))
    return f"{middle}-{max(high, middle)} seconds"


def count_waiting(database: Peewee, client_id: int, mode: str) -> int:
    """Events of a client with deliveries of this mode that wait; jobs under a lease don't."""
    # The expressions keep the planner to the index of open deliveries, away from those of all that is stored.
    text = (
        "SELECT COUNT(DISTINCT event_id) FROM deliveries WHERE settled = FALSE AND (client_id + 0) = ? "
        "AND (mode || '') = ? AND (mode = 'push' OR status <> 'delivering')"
    )
    [(count,)] = rows(database, text, (client_id, mode))
    return int(count)
