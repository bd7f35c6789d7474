"""How far back a replay goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from wagate.errors import UnprocessableError
from wagate.hooks import Duration

EVER = timedelta(days=3650)


def seconds_back(since: str | None, *, now: datetime) -> float:
    """A time (RFC 3339) or a length of time (``24h``) → seconds before ``now``; None → ten years.

    Raises:
        UnprocessableError: it is neither, or lies in the future.
    """
    if since is None:
        return EVER.total_seconds()
    seconds = _length(since)
    if seconds is None:
        seconds = _ago(since, now)
    if seconds is None or seconds < 0:
        cure = "since is a past time like 2025-09-10T10:30:00Z, or how long ago, like 24h"
        raise UnprocessableError(cure, field="?since")
    return min(seconds, EVER.total_seconds())


def _length(text: str) -> float | None:
    try:
        return float(Duration(text))
    except ValueError:
        return None


def _ago(text: str, now: datetime) -> float | None:
    try:
        # In a query a plus sign means a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if text.count(":") > 2 else text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (now - aware).total_seconds()
