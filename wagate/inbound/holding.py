"""With several processes on one database, each account is listened for by one: who holds its lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.storage.owners.accounts import hold

LEASE = 15.0
"""Seconds after which another process takes over from one that renews no more."""
RENEW = 5.0

log = structlog.get_logger("wagate.listen")


class Holding:
    """What this process holds. ``holder`` is its name, the same after a restart."""

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._held: frozenset[str] = frozenset()

    def holds(self, account_id: str) -> bool:
        """Whether this process may listen for the account now."""
        return account_id in self._held

    async def renew(self, account_ids: Sequence[str], *, lease: float = LEASE) -> bool:
        """Take what is free, keep what is held; whether anything changed. StorageError."""
        now = self._clock.now()
        until = now + timedelta(seconds=lease)
        held = await self._database.write(hold, list(account_ids), self._holder, now=now, until=until)
        changed, self._held = held != self._held, held
        return changed

    async def keep(self, account_ids: Callable[[], Sequence[str]], changed: Callable[[], Awaitable[None]]) -> None:
        """Renew for ever; ``changed`` is called when something came or went. What can't be renewed in time is lost."""
        renewed = self._clock.monotonic()
        while True:
            try:
                if await self.renew(account_ids()):
                    await changed()
                renewed = self._clock.monotonic()
            except StorageError as error:
                log.warning("leases not renewed", reason=str(error))
                if self._held and self._clock.monotonic() - renewed > LEASE - RENEW:
                    self._held = frozenset()
                    await changed()
            await self._clock.sleep(RENEW)
