"""One consistent copy of a SQLite database, while it serves."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import peewee

from wagate.errors import StorageError


def backup(db: peewee.Database, path: Path) -> int:
    """Copy the database to a file (0600), replacing it when the copy is whole; its bytes. For `Database.read`.

    Raises:
        StorageError: PostgreSQL, which has tools of its own (pg_dump); or the file can't be written.
    """
    if not isinstance(db, peewee.SqliteDatabase):
        raise StorageError("a PostgreSQL database is copied with pg_dump")
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with closing(sqlite3.connect(part)) as copy:
            # All at once: a copy in steps begins anew whenever somebody writes. Readers do not block the writer.
            db.connection().backup(copy)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    return path.stat().st_size
