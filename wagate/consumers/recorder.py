"""Write outcomes down, whatever it takes: what was sent and not written down would be sent again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import structlog
import trio

from wagate.clock import Clock
from wagate.consumers.spool import Spool
from wagate.errors import StorageError
from wagate.events import Event
from wagate.rules.states import Policy, Settled, Try
from wagate.storage.database import Database
from wagate.storage.deliveries.ends import LATER, end_of
from wagate.storage.deliveries.outcomes import Outcome, record
from wagate.storage.events.intake import Route, StoredDelivery, reroute

log = structlog.get_logger("wagate.consumers")

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
PATIENCE = 30.0
"""Seconds that one write may take."""
LAST = 2.0
"""Seconds that it may take when the drain is over."""


class Recorder:
    """The way from a finished try into the tables."""

    def __init__(self, database: Database, clock: Clock, spool: Spool | None) -> None:
        """``spool`` keeps what the database does not take before a stop."""
        self._database = database
        self._clock = clock
        self._spool = spool
        self._writing: set[trio.CancelScope] = set()
        self._ends = math.inf
        self.lost = 0
        """Deliveries that were tried, and whose outcome was kept nowhere: they are tried again."""

    async def write_down(self, outcome: Outcome, tried: Try) -> Settled | None:
        """What became of it, committed; None when it did not count.

        Tries until the database takes it; between two tries it can be cancelled, and is kept for the next start.
        """
        try:
            return await self._until_written(outcome)
        except trio.Cancelled:
            self._keep(outcome, tried)
            raise

    async def end_of(self, delivery_id: str) -> datetime | None:
        """`wagate.storage.deliveries.ends.end_of` now; to come as well when the database does not say."""
        now = self._clock.now()
        try:
            return await self._database.read(end_of, delivery_id, now)
        except StorageError:
            return now + LATER

    def hurry(self) -> None:
        """The drain is over: what the database does not take now is kept for the next start."""
        self._ends = trio.current_time() + LAST
        for scope in self._writing:
            scope.deadline = min(scope.deadline, self._ends)

    async def write_kept(self, policy: Policy) -> None:
        """Write down what was kept at the last stop, before anything is tried again."""
        if self._spool is None:
            return
        count = 0
        for outcome in self._spool.read(policy):
            await self._until_written(outcome)
            count += 1
        if count:
            log.info("kept outcomes written", deliveries=count)
        self._spool.clear()

    def _keep(self, outcome: Outcome, tried: Try) -> None:
        reason = "there is no folder for it"
        if self._spool is not None:
            try:
                self._spool.keep(outcome, tried)
            except OSError as error:
                reason = str(error)
            else:
                log.warning("outcome kept for the next start", delivery_id=outcome.delivery_id)
                return
        self.lost += 1
        log.error("outcome lost, it will be repeated", delivery_id=outcome.delivery_id, reason=reason)

    async def _until_written(self, outcome: Outcome) -> Settled | None:
        wait = FIRST_WAIT
        while True:
            try:
                return await self._write(outcome)
            except (StorageError, trio.TooSlowError) as error:
                log.warning("outcome not written yet", delivery_id=outcome.delivery_id, reason=str(error), wait=wait)
            await self._clock.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _write(self, outcome: Outcome) -> Settled | None:
        # Also at a stop: the target has accepted, and only this says so.
        with trio.fail_at(min(trio.current_time() + PATIENCE, self._ends), shield=True) as scope:
            self._writing.add(scope)
            try:
                return await self._database.write_bulk(record, outcome)
            finally:
                self._writing.discard(scope)

    async def route(
        self, delivery_id: str, attempt_count: int, event: Event, routes: Sequence[Route]
    ) -> list[StoredDelivery]:
        """Replace an unrouted delivery by deliveries to its targets, in one commit. StorageError: nothing changed."""
        now = self._clock.now()
        stored: list[StoredDelivery] = []
        with trio.CancelScope(shield=True):
            stored = await self._database.write(reroute, delivery_id, attempt_count, event, tuple(routes), now=now)
        return stored  # noqa: RET504  (for the type checker a scope may swallow)
