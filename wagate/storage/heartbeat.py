"""A row that is written for no other reason than to see whether anything can be."""

from __future__ import annotations

from datetime import datetime

import peewee

from wagate.storage.fields import time_text
from wagate.storage.statement import run

_BEAT = "INSERT INTO heartbeats (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"


def beat(db: peewee.Database, name: str, now: datetime) -> None:
    """Write that ``name`` was alive now."""
    run(db, _BEAT, (name, time_text(now)))
