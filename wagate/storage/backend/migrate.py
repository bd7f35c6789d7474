"""Bring a database to the newest form: numbered SQL files, in order, in one transaction, recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import msgspec
import peewee

from wagate.errors import StorageError
from wagate.storage.fields import time_text
from wagate.storage.statement import sql

# Any fixed number: two processes that start at once on PostgreSQL take turns.
ADVISORY_LOCK = 0x7761676174
TABLE = (
    "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
)
SQLITE_WORDS = {
    "TIMESTAMPTZ": "TEXT",
    "BOOLEAN": "INTEGER",
    "BYTEA": "BLOB",
    "BIGINT": "INTEGER",
    "jsonb_build_object": "json_object",
}
"""The files are written in PostgreSQL's words; these are SQLite's."""
_WORD = re.compile(rf"\b({'|'.join(SQLITE_WORDS)})\b")
_MARK = re.compile(r" +-- (sqlite|postgres)$")


class Migration(msgspec.Struct, frozen=True):
    """One file."""

    number: int
    name: str
    """``0001_tables``."""
    statements: tuple[str, ...]


@cache
def migrations(dialect: str) -> Sequence[Migration]:
    """All that this code knows, in order."""
    folder = files("wagate.storage.backend") / "migrations"
    found = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [Migration(int(name[:4]), name.removesuffix(".sql"), statements(text, dialect)) for name, text in found]


def statements(text: str, dialect: str) -> tuple[str, ...]:
    """A file's statements for one database. A line that ends in ``-- sqlite`` or ``-- postgres`` is for that one only.

    A statement ends with a semicolon at a line's end.
    """
    lines = []
    for line in text.splitlines():
        marked = _MARK.search(line)
        if marked is None or marked[1] == dialect:
            lines.append(line[: marked.start()] if marked else line)
    kept = "\n".join(lines)
    if dialect == "sqlite":
        kept = _WORD.sub(lambda word: SQLITE_WORDS[word[0]], kept)
    return tuple(part for part in kept.removesuffix(";").split(";\n") if part.strip())


def migrate(db: peewee.Database, dialect: str, where: str) -> list[str]:
    """Apply what is missing; the names applied. Run inside the writer's transaction.

    Raises:
        StorageError: a newer wagate made this database.
    """
    if dialect == "postgres":
        db.execute_sql("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
    db.execute_sql(TABLE)
    known = migrations(dialect)
    applied = {int(number) for (number,) in db.execute_sql("SELECT number FROM migrations").fetchall()}
    if newer := applied - {migration.number for migration in known}:
        raise StorageError(
            f"{where}: made by a newer wagate (its migration {max(newer)}, this one knows {len(known)}). "
            "Install that version, or restore a backup."
        )
    missing = [migration for migration in known if migration.number not in applied]
    for migration in missing:
        for statement in migration.statements:
            db.execute_sql(statement)
        row = (migration.number, migration.name, time_text(datetime.now(UTC)))
        db.execute_sql(sql(db, "INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)"), row)
    return [migration.name for migration in missing]
