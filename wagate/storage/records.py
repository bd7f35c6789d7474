"""A plugin's own key-value rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from wagate.storage.models import PluginRecord
from wagate.storage.statement import first


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


def list_records(db: peewee.Database, plugin: str, prefix: str = "") -> dict[str, Any]:
    """Values by key, of the keys that begin so, sorted."""
    begins = peewee.fn.SUBSTR(PluginRecord.key, 1, len(prefix)) == prefix
    query = PluginRecord.select(PluginRecord.key, PluginRecord.value).where(PluginRecord.plugin == plugin, begins)
    return dict(sorted(query.tuples().execute(db)))
