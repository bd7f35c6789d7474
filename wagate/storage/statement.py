"""Statements for both databases: plain SQL written once with ``?``, in slices; lists that one filter leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import peewee

T = TypeVar("T")

SLICE = 32
"""Rows of a multi-row statement: few different texts, so the prepared ones are found again, and small ones."""
CLOCKS = timedelta(minutes=1)
"""An id may be so much older than its row says."""


def sql(db: peewee.Database, text: str) -> str:
    """``text`` with the placeholders of the database. It holds no other ``?`` and no ``%``."""
    return text if db.param == "?" else _with_percent(text)


@lru_cache(512)
def _with_percent(text: str) -> str:
    return text.replace("?", "%s")


def run(db: peewee.Database, text: str, params: Sequence[Any] = ()) -> int:
    """Execute; how many rows were changed."""
    changed: int = db.execute_sql(sql(db, text), params).rowcount
    return changed


def rows(db: peewee.Database, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute and fetch all rows."""
    found: list[tuple[Any, ...]] = db.execute_sql(sql(db, text), params).fetchall()
    return found


def first(db: peewee.Database, query: Any) -> dict[str, Any] | None:
    """The first row of a peewee query, column → Python value; None when there is none."""
    return next(iter(query.limit(1).dicts().execute(db)), None)


def run_many(db: peewee.Database, text: str, params: Sequence[Sequence[Any]]) -> None:
    """Execute one prepared statement for each row of ``params``."""
    if params:
        db.cursor().executemany(sql(db, text), params)


def insert_many(db: peewee.Database, head: str, params: Sequence[Sequence[Any]], tail: str = "") -> None:
    """``INSERT INTO …`` of many rows in few statements: each gives up the interpreter's lock once, not once a row."""
    for part in slices(params):
        text = f"{head} VALUES {marks(len(part[0]), len(part))} {tail}"
        db.execute_sql(sql(db, text), [value for row in part for value in row])


def for_update(db: peewee.Database, *, lock: bool) -> str:
    """`` FOR UPDATE`` where rows can be locked; SQLite has one writer anyway."""
    return " FOR UPDATE" if lock and db.param != "?" else ""


def lock(db: peewee.Database, name: str) -> None:
    """Keep out, until the commit, who else locks this name; SQLite has one writer anyway."""
    if db.param != "?":
        rows(db, "SELECT pg_advisory_xact_lock(hashtextextended(?, 20250120))", (name,))


def slices(items: Sequence[T], size: int = SLICE) -> Iterator[Sequence[T]]:
    """The items, ``size`` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@lru_cache(512)
def marks(columns: int, count: int) -> str:
    """``(?, ?), (?, ?)`` for ``count`` rows of ``columns``."""
    row = "(" + ", ".join("?" * columns) + ")"
    return ", ".join([row] * count)


def placeholders(count: int) -> str:
    """``?, ?, ?``."""
    return ", ".join("?" * count)


def leading(given: Mapping[str, Any], leads: Sequence[frozenset[str]]) -> frozenset[str]:
    """The first of ``leads`` (names of filters with an index, the best first) that is given whole."""
    return next((lead for lead in leads if lead <= given.keys()), frozenset())


def narrowed(query: Any, table: Any, given: Mapping[str, Any], lead: frozenset[str]) -> Any:
    """The query with ``column = value`` for each filter, so that only those of ``lead`` lead to an index."""
    for name, value in given.items():
        column = getattr(table, name)
        stored = column.db_value(value)
        query = query.where((column if name in lead else _unindexed(column)) == stored)
    return query


def first_id(moment: datetime, *, before: timedelta = timedelta()) -> str:
    """No UUIDv7 of this moment, or so long before it, or later is less (RFC 9562, section 5.7)."""
    # In numbers: the calendar ends, and begins, somewhere.
    digits = f"{max(int((moment.timestamp() - before.total_seconds()) * 1000), 0):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def since(query: Any, table: Any, moment: datetime) -> Any:
    """The query with rows stored then or later; ids begin with the time, so it ends where older ones begin."""
    return query.where(table.created_at >= moment, table.id >= first_id(moment, before=CLOCKS))


def _unindexed(column: peewee.Field) -> Any:
    """The same value, as an expression that no index has."""
    if isinstance(column, peewee.BooleanField):
        return column  # no list has so many of either that it matters
    return column + 0 if isinstance(column, peewee.IntegerField) else column.concat("")
