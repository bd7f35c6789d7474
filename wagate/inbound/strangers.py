"""Numbers that no account has, as the API and the doctor show them: until an account gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wagate.hooks.providers import Finding
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.refusals import StrangerRow, list_strangers

_STEP: Final = "add an account for it, or have the provider send only what is for accounts here"


class Strangers:
    """Reads the table."""

    def __init__(self, database: Database, providers: Providers, live: LiveDirectory) -> None:
        self._database = database
        self._providers = providers
        self._live = live

    async def all(self, *, client_id: int | None) -> Sequence[StrangerRow]:
        """Those that still have no account, the latest first; ``client_id`` None: of all clients. StorageError."""
        found = await self._database.browse(list_strangers, client_id=client_id)
        return [each for each in found if not self._has_account(each)]

    async def look(self) -> Sequence[Finding]:
        """A look of the doctor's."""
        return [
            Finding(
                level="warn",
                what="number",
                detail=f"{each.number} of {each.provider} has no account; {each.events} events came to the URL of "
                f"account {each.account}, the last at {each.last_at:%Y-%m-%d %H:%M} UTC, and went nowhere",
                next_step=_STEP,
            )
            for each in await self.all(client_id=None)
        ]

    def _has_account(self, row: StrangerRow) -> bool:
        accounts = self._live.now.by_client.get(row.client_id, ())
        return any(each.provider == row.provider and self._providers.number(each) == row.number for each in accounts)
