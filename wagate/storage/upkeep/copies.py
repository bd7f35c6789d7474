"""Copies of a SQLite database: one consistent file while a gateway serves from it, or all tables into PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import peewee

from wagate.errors import StorageError
from wagate.storage.backend.migrate import migrate
from wagate.storage.statement import insert_many, rows, run

_MAGIC: Final = b"SQLite format 3\0"
"""The first bytes of every database file (https://www.sqlite.org/fileformat.html)."""
_PATIENCE: Final = 30.0
"""Seconds to wait for a lock."""
MARK: Final = "last_backup"
"""The file in the data folder that says when the newest was made; no backup holds it."""
SLICE: Final = 500
_SKIPPED: Final = frozenset({"migrations"})
"""Written by `migrate`."""

Tell = Callable[[str, int], object]
"""(table, rows) as each table is done."""


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


def copy_over(target: peewee.Database, source: peewee.Database, where: str, tell: Tell) -> dict[str, int]:
    """Copy everything; table → rows, counted on both sides. For `Database.write` of the target.

    ``source`` is of the newest form, and nobody writes to it.

    Raises:
        StorageError: the target has tables, or has other rows than the source in the end; nothing was stored.
    """
    there = [name for (name,) in rows(target, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]
    if there:
        raise StorageError(f"{where}: is not empty (it has {', '.join(sorted(there)[:3])} …); nothing was copied")
    migrate(target, "postgres", where)
    tables = _in_order(source)
    missing = set(tables) - set(_kinds(target))
    if missing:
        raise StorageError(f"{where}: PostgreSQL has no table {', '.join(sorted(missing))}; nothing was copied")
    for table in reversed(tables):
        run(target, f'DELETE FROM "{table}"')  # noqa: S608  (what migrations put in)
    copied = {}
    for table in tables:
        copied[table] = _copy(target, source, table)
        tell(table, copied[table])
    _verify(target, source, tables, where)
    # Until it is run by itself, in a minute or so, lists would be planned as if the tables were empty.
    run(target, "ANALYZE")
    return copied


def _in_order(source: peewee.Database) -> list[str]:
    """Each table behind those that it refers to."""
    found = [name for (name,) in rows(source, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    names = [name for name in found if name not in _SKIPPED and not name.startswith("sqlite_")]
    graph = {name: {row[2] for row in rows(source, f'PRAGMA foreign_key_list("{name}")')} for name in names}
    return list(TopologicalSorter(graph).static_order())


def _kinds(target: peewee.Database) -> dict[str, dict[str, str]]:
    """Table → column → type."""
    query = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema()"
    )
    kinds: dict[str, dict[str, str]] = {}
    for table, column, kind in rows(target, query):
        kinds.setdefault(table, {})[column] = kind
    return kinds


def _copy(target: peewee.Database, source: peewee.Database, table: str) -> int:
    columns = [row[1] for row in rows(source, f'PRAGMA table_info("{table}")')]
    kinds = _kinds(target)[table]
    flags = [place for place, column in enumerate(columns) if kinds[column] == "boolean"]
    named = ", ".join(f'"{column}"' for column in columns)
    head = f'INSERT INTO "{table}" ({named})'
    cursor = source.execute_sql(f'SELECT {named} FROM "{table}"')  # noqa: S608  (names of our own tables)
    count = 0
    for part in _parts(cursor):
        for row in part:
            for place in flags:  # SQLite has 0 and 1
                row[place] = None if row[place] is None else bool(row[place])
        insert_many(target, head, part)
        count += len(part)
    for column in columns:
        _set_sequence(target, source, table, column)
    return count


def _parts(cursor: Any) -> Iterator[list[list[Any]]]:
    while part := cursor.fetchmany(SLICE):
        yield [list(row) for row in part]


def _set_sequence(target: peewee.Database, source: peewee.Database, table: str, column: str) -> None:
    """An id that was given out once is never given out again, also when its row is gone."""
    [(sequence,)] = rows(target, "SELECT pg_get_serial_sequence(?, ?)", (f'"{table}"', column))
    if sequence is None:
        return
    [(last,)] = rows(source, f'SELECT coalesce(max("{column}"), 0) FROM "{table}"')  # noqa: S608
    if rows(source, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
        last = max(
            [last, *(seq for (seq,) in rows(source, "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)))]
        )
    if last:
        rows(target, "SELECT setval(?::regclass, ?)", (sequence, last))


def _verify(target: peewee.Database, source: peewee.Database, tables: list[str], where: str) -> None:
    for table in tables:
        query = f'SELECT count(*) FROM "{table}"'  # noqa: S608
        [(here,)], [(there,)] = rows(source, query), rows(target, query)
        if here != there:
            raise StorageError(f"{where}: {table} has {there} rows instead of {here}; nothing was copied")
