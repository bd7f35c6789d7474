"""The machine's clock was set back: what was to happen at a time of the old clock is moved with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import peewee

from wagate.storage.database import apart
from wagate.storage.fields import as_time, time_text
from wagate.storage.heartbeat import beat, last_beat
from wagate.storage.statement import rows, run_many

CLOCK = "clock"
"""The heartbeat that tells which time it was: none of a moment to come."""
SLICE = 500
ELSEWHERE = (
    ("targets", "next_probe_at"),
    ("targets", "streak_since"),
    ("media", "next_at"),
    ("accounts", "qr_at"),
)
"""Tables of few rows, and times in them that something waits for."""


def claim_step(
    db: peewee.Database, now: datetime, *, least: timedelta, seen: timedelta | None = None
) -> timedelta | None:
    """How far the clock was set back since the last mark, if that is ``least`` or more; the mark is now, then.

    ``seen`` is how far by who saw it; the mark alone, which may be old, tells less. Of several processes on one
    machine, which all see a step, one gets it.
    """
    marked = last_beat(db, CLOCK, lock=True)
    if marked is None or marked - now < least:
        return None
    beat(db, CLOCK, now)
    return seen or marked - now


@apart
def mark_time(db: peewee.Database, now: datetime) -> None:
    """Write down which time it is, unless a later one stands there: that is a step to be claimed."""
    marked = last_beat(db, CLOCK, lock=True)
    if marked is None or marked <= now:
        beat(db, CLOCK, now)


def move_elsewhere(db: peewee.Database, back: timedelta, now: datetime) -> None:
    """Probes, file downloads and QR codes."""
    for table, column in ELSEWHERE:
        found = rows(db, f"SELECT id, {column} FROM {table} WHERE {column} > ?", (time_text(now),))  # noqa: S608
        text = f"UPDATE {table} SET {column} = ? WHERE id = ? AND {column} = ?"  # noqa: S608
        run_many(db, text, [(_moved(at, back), id_, _text(at)) for id_, at in found])


def move_open(
    db: peewee.Database, after: str, back: timedelta, now: datetime
) -> tuple[list[tuple[str, str, str]], str | None]:
    """Times of the next slice of open deliveries: (mode, target, key) of each, and where to go on."""
    moment = time_text(now)
    found = rows(
        db,
        "SELECT id, mode, target_id, key, next_retry_at, lease_until, claimed_until FROM deliveries "
        "WHERE settled = FALSE AND (next_retry_at > ? OR lease_until > ? OR claimed_until > ?) "
        "AND (id || '') > ? ORDER BY (id || '') LIMIT ?",
        (moment, moment, moment, after, SLICE),
    )
    run_many(
        db,
        "UPDATE deliveries SET next_retry_at = ?, lease_until = ?, claimed_until = ? WHERE id = ? AND settled = FALSE",
        [(*(_moved(at, back, now) for at in times), id_) for id_, _, _, _, *times in found],
    )
    keys = [(mode, target, key) for _, mode, target, key, *_ in found]
    return keys, found[-1][0] if len(found) == SLICE else None


def _moved(value: Any, back: timedelta, now: datetime | None = None) -> str | None:
    """A stored time, earlier by the step; one that has passed, or none, as it is."""
    at = as_time(value)
    if at is None:
        return None
    return time_text(at - back if now is None or at > now else at)


def _text(value: Any) -> str:
    at = as_time(value)
    assert at is not None
    return time_text(at)
