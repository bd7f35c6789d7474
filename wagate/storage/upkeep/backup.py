"""One consistent copy of a SQLite database, while a gateway serves from it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from wagate.errors import StorageError

_MAGIC: Final = b"SQLite format 3\0"
"""The first bytes of every database file (https://www.sqlite.org/fileformat.html)."""
_PATIENCE: Final = 30.0
"""Seconds to wait for a lock."""
MARK: Final = "last_backup"
"""The file in the data folder that says when the newest was made; no backup holds it."""


def note_backup(folder: Path, made_at: datetime) -> None:
    """Remember in the data folder that a backup was made. A folder that can't be written to is no error."""
    with suppress(OSError):
        (folder / MARK).write_text(f"{made_at.isoformat()}\n", "ascii")


def last_backup(folder: Path) -> datetime | None:
    """When the newest was made, as far as it is known here."""
    try:
        found = datetime.fromisoformat((folder / MARK).read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def is_sqlite(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    with path.open("rb") as opened:
        return opened.read(len(_MAGIC)) == _MAGIC


def copy_sqlite(source: Path, target: Path) -> int:
    """Copy the database, with what is not yet in its file, into a new file (0600); its bytes.

    Raises:
        StorageError: it can't be read, or the new file can't be written.
    """
    try:
        target.touch(mode=0o600, exist_ok=False)
        uri = f"{source.absolute().as_uri()}?mode=rw"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            # All at once: a copy in steps begins anew whenever somebody writes. Readers do not block the writer.
            live.backup(copy)
        with target.open("rb") as written:
            os.fsync(written.fileno())
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StorageError(f"{source}: can't be copied: {error}") from error
    return target.stat().st_size
