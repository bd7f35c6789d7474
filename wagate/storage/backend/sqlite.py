"""SQLite: one file, WAL, an fsync for every commit."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import peewee

from wagate.config.secrets import close_to_others
from wagate.storage.backend.dialect import TOO_SLOW, chain

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "temp_store": "memory",
    "journal_size_limit": 64 * 1024 * 1024,
}
WRITER_CACHE_KIB = 8 * 1024
READER_CACHE_KIB = 2 * 1024
BUSY_SECONDS = 5.0
# The widest multi-row statements are cut into slices of 32 rows, so this many different texts are enough.
CACHED_STATEMENTS = 256
STEPS = 20_000
"""Steps of SQLite's machine between two looks at the clock: a few milliseconds."""

REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: f"locked by another process for more than {BUSY_SECONDS:.0f} s",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_INTERRUPT: TOO_SLOW,
    sqlite3.SQLITE_READONLY: "read-only: the file or its folder can't be written",
    sqlite3.SQLITE_IOERR: "the disk gave an input/output error",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened; does the folder exist, may it be written?",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_CONSTRAINT: "a value breaks a rule of its table",
}


class _Patient(peewee.SqliteDatabase):
    """Waits for others in going over to WAL, too.

    Alone of all statements that fails at once (SQLite's busy handler is not asked when a lock is raised), so that of
    several processes that start on a new file one would be refused.
    """

    def _connect(self) -> Any:
        give_up = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return super()._connect()  # type: ignore[misc]  # unknown to peewee's types
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
            time.sleep(0.01)


class Sqlite:
    """A SQLite file."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"
    begin = "BEGIN IMMEDIATE"
    snapshot = "BEGIN"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = f"SQLite {path}"

    def open(self, *, writer: bool) -> peewee.Database:
        """See `Engine.open`. The files are the owner's alone, also those that are there already."""
        for each in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):  # It is not there yet.
                close_to_others(each)
        cache = WRITER_CACHE_KIB if writer else READER_CACHE_KIB
        pragmas = PRAGMAS | {"cache_size": -cache} | ({} if writer else {"query_only": 1})
        return _Patient(
            str(self.path),
            pragmas=pragmas,
            timeout=BUSY_SECONDS,
            thread_safe=False,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )

    def limit(self, db: peewee.Database, seconds: float | None) -> None:
        """See `Engine.limit`."""
        if seconds is None:
            db.connection().set_progress_handler(None, 0)
            return
        deadline = time.monotonic() + seconds
        db.connection().set_progress_handler(lambda: time.monotonic() > deadline, STEPS)

    def reason(self, error: BaseException) -> str | None:
        """See `Engine.reason`."""
        if not isinstance(error, peewee.PeeweeException | sqlite3.Error):
            return None
        for each in chain(error):
            code = getattr(each, "sqlite_errorcode", None)
            if isinstance(code, int):
                # The low byte is the primary code, the rest tells more than an operator needs.
                return f"{REASONS.get(code & 0xFF, 'failed')} ({each})"
        return f"failed ({error})"

    def conflict(self, error: BaseException) -> bool:  # noqa: ARG002
        """Never: there is one writer at a time."""
        return False

    def lost(self, error: BaseException) -> bool:  # noqa: ARG002
        """Never: a file has no connection to lose."""
        return False
