"""How much is stored, and since when: for a forecast of the disk."""

from __future__ import annotations

from datetime import datetime

import msgspec
import peewee

from wagate.storage.fields import as_time
from wagate.storage.statement import rows


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The database."""

    size: int
    """Bytes, with room in it that is used again."""
    here: bool
    """Whether it is a file in the data folder."""
    oldest_at: datetime | None
    """When the oldest event that is kept came in; None: there is none."""


def stored(db: peewee.Database) -> Stored:
    """Look; nothing is counted."""
    here = isinstance(db, peewee.SqliteDatabase)
    if here:
        ((pages,),), ((each,),) = rows(db, "PRAGMA page_count"), rows(db, "PRAGMA page_size")
        size = pages * each
    else:
        ((size,),) = rows(db, "SELECT pg_database_size(current_database())")
    found = rows(db, "SELECT created_at FROM events ORDER BY id LIMIT 1")
    return Stored(size=int(size), here=here, oldest_at=as_time(found[0][0]) if found else None)
