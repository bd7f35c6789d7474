"""When tokens were last used: noted for free, written now and then."""

from __future__ import annotations

from datetime import datetime

from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.storage.owners.clients import touch_tokens


class TokenUses:
    """`note` costs a request next to nothing; `write` brings what was noted to the database, in one commit."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[str, datetime] = {}

    def note(self, digest: str) -> None:
        """The token with this SHA-256 (hex) was used just now."""
        self._noted[digest] = self._clock.now()

    async def write(self) -> None:
        """Write what was noted since the last time. StorageError: it is kept for the next time."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await self._database.write(touch_tokens, noted)
        except StorageError:
            self._noted = noted | self._noted
            raise
