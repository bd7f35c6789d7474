"""Write outcomes down, whatever it takes: what was sent and not written down would be sent again."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.events import Event
from wagate.rules.states import Settled
from wagate.storage.database import Database
from wagate.storage.deliveries.outcomes import Outcome, record
from wagate.storage.events.intake import Route, StoredDelivery
from wagate.storage.events.reroute import reroute

log = structlog.get_logger("wagate.consumers")

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
PATIENCE = 30.0
"""Seconds that one write may take."""


class Recorder:
    """The way from a finished try into the tables."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write_down(self, outcome: Outcome) -> Settled | None:
        """What became of it, committed; None when it did not count.

        Tries until the database takes it; between two tries it can be cancelled.
        """
        wait = FIRST_WAIT
        while True:
            try:
                # Also at a stop: the target has accepted, and only this says so.
                with trio.fail_after(PATIENCE, shield=True):
                    return await self._database.write_bulk(record, outcome)
            except (StorageError, trio.TooSlowError) as error:
                log.warning("outcome not written yet", delivery_id=outcome.delivery_id, reason=str(error), wait=wait)
            await self._clock.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def route(
        self, delivery_id: str, attempt_count: int, event: Event, routes: Sequence[Route]
    ) -> list[StoredDelivery]:
        """Replace an unrouted delivery by deliveries to its targets, in one commit. StorageError: nothing changed."""
        now = self._clock.now()
        stored: list[StoredDelivery] = []
        with trio.CancelScope(shield=True):
            stored = await self._database.write(reroute, delivery_id, attempt_count, event, tuple(routes), now=now)
        return stored  # noqa: RET504  (for the type checker a scope may swallow)
