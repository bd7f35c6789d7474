"""A plugin's own key-value rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import peewee

from wagate.clock import Clock
from wagate.storage.clock_marks import believed
from wagate.storage.database import Database
from wagate.storage.plugin_records import delete_record, forget_records, get_record, list_records, set_record


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

    async def set_all(self, values: Mapping[str, Any]) -> None:
        """Store values in one commit."""

        def write(db: peewee.Database) -> None:
            for key in sorted(values):
                set_record(db, self._plugin, key, values[key], now=self._clock.now())

        await self._database.write(write)

    async def items(self, prefix: str = "", *, most: int | None = None) -> Mapping[str, Any]:
        """Values by key, of keys that begin so, sorted; the first ``most``."""
        return await self._database.read(list_records, self._plugin, prefix, most=most)

    async def forget(self, prefix: str, *, older: float) -> int:
        """Forget values last set more than ``older`` seconds ago, of keys that begin so; how many."""
        now = await self._database.read(believed, self._clock.now())
        before, total = now - timedelta(seconds=older), 0
        while gone := await self._database.write(forget_records, self._plugin, prefix, before):
            total += gone
        return total

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Keys that begin so, sorted."""
        return sorted(await self._database.read(list_records, self._plugin, prefix))
