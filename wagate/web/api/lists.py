"""What all lists have in common: a limit, a cursor, filters by time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from wagate.errors import UnprocessableError

T = TypeVar("T")

Limit = Annotated[int, msgspec.Meta(ge=1, le=200, description="the most rows to return")]
Cursor = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="`next_cursor` of the page before",
    ),
]
Number = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the page before")]
Moment = Annotated[
    str, msgspec.Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339, with Z or an offset")
]


_AWARE = Annotated[datetime, msgspec.Meta(tz=True)]


def page_of(
    rows: Sequence[T], key: Callable[[T], str | int], *, limit: int, after: str | int | None
) -> tuple[list[T], str | None]:
    """One page of rows that are all in memory, by rising key; and the next cursor."""
    left = [row for row in sorted(rows, key=key) if after is None or key(row) > after]  # type: ignore[operator]
    page = left[:limit]
    return page, str(key(page[-1])) if len(left) > limit else None


def utc(moment: str | None, name: str) -> datetime | None:
    """``?since=`` and the like in UTC. UnprocessableError when it is no time, or one out of the calendar."""
    if moment is None:
        return None
    try:
        return in_calendar(msgspec.convert(moment, _AWARE), f"?{name}")
    except msgspec.ValidationError as error:
        raise _no_time(f"?{name}") from error


def in_calendar(moment: datetime, field: str) -> datetime:
    """An aware time in UTC. UnprocessableError: that is before the year 1, or after 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise _no_time(field) from error


def _no_time(field: str) -> UnprocessableError:
    name = field.rpartition(".")[2].removeprefix("?")
    return UnprocessableError(f"{name} must be a time like 2025-01-20T10:00:00Z", field=field)
