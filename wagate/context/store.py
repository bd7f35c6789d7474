"""A plugin's own key-value rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wagate.clock import Clock
from wagate.storage.database import Database
from wagate.storage.records import delete_record, get_record, list_records, set_record


class PluginStore:
    """`wagate.hooks.context.Store` for one plugin."""

    def __init__(self, plugin: str, database: Database, clock: Clock) -> None:
        self._plugin = plugin
        self._database = database
        self._clock = clock

    async def get(self, key: str) -> Any | None:
        """A value, or None."""
        return await self._database.read(get_record, self._plugin, key)

    async def set(self, key: str, value: Any) -> None:
        """Store a value, committed when this returns."""
        await self._database.write(set_record, self._plugin, key, value, now=self._clock.now())

    async def delete(self, key: str) -> None:
        """Forget a value."""
        await self._database.write(delete_record, self._plugin, key)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Keys that begin so, sorted."""
        return sorted(await self._database.read(list_records, self._plugin, prefix))
