"""Plain SQL for both databases: written once with ``?``, in slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import peewee

T = TypeVar("T")

SLICE = 32
"""Rows of a multi-row statement: few different texts, so the prepared ones are found again, and small ones."""


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
