"""A plugin's own key-value rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.storage.fields import time_text
from wagate.storage.models import PluginRecord
from wagate.storage.statement import first, rows, run_many


def get_record(db: peewee.Database, plugin: str, key: str) -> Any | None:
    """The value (JSON types), or None."""
    row = first(db, PluginRecord.select().where(PluginRecord.plugin == plugin, PluginRecord.key == key))
    return None if row is None else row["value"]


def set_record(db: peewee.Database, plugin: str, key: str, value: Any, *, now: datetime) -> None:
    """Store a value (JSON types), in place of what was there."""
    query = PluginRecord.insert(plugin=plugin, key=key, value=value, updated_at=now)
    query.on_conflict(
        conflict_target=[PluginRecord.plugin, PluginRecord.key],
        preserve=[PluginRecord.value, PluginRecord.updated_at],
    ).as_rowcount().execute(db)


def delete_record(db: peewee.Database, plugin: str, key: str) -> bool:
    """Forget a value; whether there was one."""
    return bool(PluginRecord.delete().where(PluginRecord.plugin == plugin, PluginRecord.key == key).execute(db))


def list_records(db: peewee.Database, plugin: str, prefix: str = "", *, most: int | None = None) -> dict[str, Any]:
    """Values by key, of the keys that begin so, sorted; the first ``most``."""
    # PostgreSQL sorts by the database's language; a prefix is a range only in the order of bytes.
    key = "key" if db.param == "?" else 'key COLLATE "C"'
    text = f"SELECT key, value FROM plugin_records WHERE plugin = ? AND {key} >= ? AND {key} < ? ORDER BY {key}"  # noqa: S608
    params: list[Any] = [plugin, prefix, f"{prefix}\U0010ffff"]
    if most is not None:
        text, params = f"{text} LIMIT ?", [*params, most]
    return {found: msgspec.json.decode(value) for found, value in rows(db, text, params)}


def forget_records(db: peewee.Database, plugin: str, prefix: str, before: datetime, most: int = 500) -> int:
    """Forget values last set before a time, of the keys that begin so; how many."""
    key = "key" if db.param == "?" else 'key COLLATE "C"'
    text = f"SELECT key FROM plugin_records WHERE plugin = ? AND {key} >= ? AND {key} < ? AND updated_at < ? LIMIT ?"  # noqa: S608
    params = (plugin, prefix, f"{prefix}\U0010ffff", time_text(before), most)
    old = [(plugin, found, time_text(before)) for (found,) in rows(db, text, params)]
    run_many(db, "DELETE FROM plugin_records WHERE plugin = ? AND key = ? AND updated_at < ?", old)
    return len(old)
