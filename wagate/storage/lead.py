"""One filter of a list leads, by an index that ends in the id; the others are looked at row by row.

Left to itself, a planner without figures takes the first index that fits, be it of a million rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import peewee

CLOCKS = timedelta(minutes=1)
"""An id may be so much older than its row says."""


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
