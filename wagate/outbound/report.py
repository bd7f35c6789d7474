"""Tell connectors what became of messages: those that nobody will send fail, and each failure is an event, once."""

from __future__ import annotations

from collections.abc import Callable

import structlog
import trio

from wagate.errors import StorageError
from wagate.outbound import announce
from wagate.outbound.context import OutboundContext
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.outbox.sending import Ended, Report, given_up, mark_reported, store_reports, unreported, write_ended

EVERY = 3.0
"""Seconds between looks when nothing rings."""
SHARE = 20
"""A look that took a second is followed by so many without one: many that wait don't keep the database busy."""
SLICE = 200

log = structlog.get_logger("wagate.outbound")


class Reporter:
    """Looks now and then, and when it is rung."""

    def __init__(self, context: OutboundContext, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the id of a message when something became of it that people wait for."""
        self._context = context
        self._changed = changed
        self._rung = trio.Event()

    def ring(self) -> None:
        """A message failed."""
        self._rung.set()

    async def run(self) -> None:
        """Look for ever; a task."""
        clock = self._context.clock
        while True:
            self._rung = trio.Event()
            began = clock.monotonic()
            try:
                more = await self.look()
            except StorageError as error:
                log.warning("messages not looked through", reason=str(error))
                more = False
            passed = clock.monotonic() - began
            await clock.wait(self._rung, 0.0 if more else max(EVERY, SHARE * passed))

    async def look(self) -> bool:
        """Look once; whether there may be more."""
        database, clock = self._context.database, self._context.clock
        lost = await database.read(given_up, clock.now(), SLICE)
        for each in lost:
            status = "failed" if each.status == "queued" else "unknown"
            ended = Ended(id=each.id, status=status, error=each.error, code="", now=clock.now())
            if await database.write(write_ended, ended):
                log.info("message given up", message_id=each.id, outcome=status, error=each.error)
                self._changed(each.id)
        found = await database.read(unreported, clock.now(), SLICE)
        await self._report(found)
        return len(lost) == SLICE or len(found) == SLICE

    async def _report(self, found: list[MessageRow]) -> None:
        database = self._context.database
        reports = [report for row in found if (report := self._report_of(row)) is not None]
        if reports:
            self._context.ring(await database.write(store_reports, reports))
        known = {report.id for report in reports}
        if forlorn := [row.id for row in found if row.id not in known]:
            await database.write(mark_reported, forlorn)  # their client was deleted

    def _report_of(self, row: MessageRow) -> Report | None:
        context = self._context
        directory, now = context.live.now, context.clock.now()
        account = announce.account_of(row, directory)
        if account is None:
            return None
        if row.status == "failed":
            intake = announce.failed(account, row, directory, context.router, now=now)
        else:
            intake = announce.sent(account, row, row.provider_id, context.router, now=now)
        return Report(id=row.id, failed=row.status == "failed", intake=intake)
