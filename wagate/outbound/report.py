"""Tell connectors what became of messages: those that nobody will send fail, and each failure is an event, once."""

from __future__ import annotations

from collections.abc import Callable

import structlog
import trio

from wagate.errors import StorageError
from wagate.outbound import announce
from wagate.outbound.shared import Parts
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.outbox.sending import Ended, Telling, given_up, tell, untold, write_ended, write_told

EVERY = 3.0
"""Seconds between looks when nothing rings."""
SHARE = 20
"""A look may take this part of the time: many messages that wait don't keep the database busy."""
SLICE = 200

log = structlog.get_logger("wagate.outbound")


class Teller:
    """Looks now and then, and when it is rung."""

    def __init__(self, parts: Parts, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the id of a message when something became of it that people wait for."""
        self._parts = parts
        self._changed = changed
        self._rung = trio.Event()

    def ring(self) -> None:
        """A message failed."""
        self._rung.set()

    async def run(self) -> None:
        """Look for ever; a task."""
        clock = self._parts.clock
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
        database, clock = self._parts.database, self._parts.clock
        lost = await database.read(given_up, clock.now(), SLICE)
        for each in lost:
            status = "failed" if each.status == "queued" else "unknown"
            ended = Ended(id=each.id, status=status, error=each.error, code="", now=clock.now())
            if await database.write(write_ended, ended):
                log.info("message given up", message_id=each.id, outcome=status, error=each.error)
                self._changed(each.id)
        found = await database.read(untold, clock.now(), SLICE)
        await self._tell(found)
        return len(lost) == SLICE or len(found) == SLICE

    async def _tell(self, found: list[MessageRow]) -> None:
        database = self._parts.database
        tellings = [telling for row in found if (telling := self._telling(row)) is not None]
        if tellings:
            self._parts.ring(await database.write(tell, tellings))
        known = {telling.id for telling in tellings}
        if forlorn := [row.id for row in found if row.id not in known]:
            await database.write(write_told, forlorn)  # their client was deleted

    def _telling(self, row: MessageRow) -> Telling | None:
        parts = self._parts
        directory, now = parts.live.now, parts.clock.now()
        account = announce.account_of(row, directory)
        if account is None:
            return None
        if row.status == "failed":
            intake = announce.failed(account, row, directory, parts.router, now=now)
        else:
            intake = announce.sent(account, row, row.provider_id, parts.router, now=now)
        return Telling(id=row.id, failed=row.status == "failed", intake=intake)
