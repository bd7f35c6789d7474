"""Rows that are written to see that they can be, and when that was."""

from __future__ import annotations

from datetime import datetime

import peewee

from wagate.storage.database import apart
from wagate.storage.deliveries.targets import for_update
from wagate.storage.fields import as_time, time_text
from wagate.storage.statement import rows, run

_BEAT = "INSERT INTO heartbeats (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"


@apart
def beat(db: peewee.Database, name: str, now: datetime) -> None:
    """Write that ``name`` was alive now."""
    run(db, _BEAT, (name, time_text(now)))


def last_beat(db: peewee.Database, name: str, *, lock: bool = False) -> datetime | None:
    """When ``name`` was alive last. ``lock``: keep other processes from writing it until the commit."""
    text = "SELECT at FROM heartbeats WHERE name = ?"
    return next((as_time(at) for (at,) in rows(db, text + for_update(db, lock=lock), (name,))), None)
