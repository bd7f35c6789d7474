"""When what waits ends: later by a time in which nobody was at work, sooner by as much as the clock was set back.

Each such shift goes through the open deliveries in slices. A crash between two of them goes on with the next.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.storage.fields import as_time, time_text
from wagate.storage.statement import for_update, rows, run, run_many

SLICE = 500
LATER = timedelta(minutes=1)
"""A delivery whose end is not known yet is not given up for so long at least."""
SINCE = timedelta(seconds=5)
"""A step is seen so long after it at most."""


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One, as far as it got."""

    number: int
    by: timedelta
    """Less than nothing: the clock was set back."""
    recover: timedelta
    """What a delivery has that has no end of its own; 0: it has none."""
    at: datetime
    """When it was noted."""
    key: str
    seq: int
    """The last delivery of the last slice."""


def owe(db: peewee.Database, by: timedelta, now: datetime, *, recover: float = 0.0) -> None:
    """Note a shift, to be made by `move_ends`."""
    text = "INSERT INTO shifts (milliseconds, recover, at) VALUES (?, ?, ?)"
    run(db, text, (int(by / timedelta(milliseconds=1)), math.ceil(recover), time_text(now)))


def owed(db: peewee.Database) -> bool:
    """Whether there is a shift that has not come to its end: what seems to be too old may not be."""
    return bool(rows(db, "SELECT 1 FROM shifts LIMIT 1"))


def end_of(db: peewee.Database, delivery_id: str, now: datetime) -> datetime | None:
    """``expires_at`` of a delivery as it is now; as long as `owed`, a moment that is still to come."""
    if owed(db):
        return now + LATER
    return next(
        (as_time(end) for (end,) in rows(db, "SELECT expires_at FROM deliveries WHERE id = ?", (delivery_id,))), None
    )


def move_ends(db: peewee.Database, now: datetime) -> None:
    """Move the ends of the next slice."""
    shift = _next(db)
    if shift is None:
        return
    found = rows(
        db,
        "SELECT id, mode, created_at, expires_at, key, seq FROM deliveries "
        "WHERE settled = FALSE AND (key, seq) > (?, ?) ORDER BY key, seq LIMIT ?",
        (shift.key, shift.seq, SLICE),
    )
    until = _until(db, shift, now)
    ends = [(_moved(shift, until, *row[1:4]), row[0]) for row in found]
    text = "UPDATE deliveries SET expires_at = ? WHERE id = ? AND settled = FALSE"
    run_many(db, text, [(time_text(end), id_) for end, id_ in ends if end is not None])
    if len(found) < SLICE:
        run(db, "DELETE FROM shifts WHERE number = ?", (shift.number,))
    else:
        run(db, "UPDATE shifts SET key = ?, seq = ? WHERE number = ?", (*found[-1][4:], shift.number))


def _next(db: peewee.Database) -> Shift | None:
    text = "SELECT number, milliseconds, recover, at, key, seq FROM shifts ORDER BY number LIMIT 1"
    for number, milliseconds, recover, at, key, seq in rows(db, text + for_update(db, lock=True)):
        return Shift(
            number=number,
            by=timedelta(milliseconds=milliseconds),
            recover=timedelta(seconds=recover),
            at=_time(at),
            key=key,
            seq=seq,
        )
    return None


def _until(db: peewee.Database, shift: Shift, now: datetime) -> datetime:
    """When a shift's time ended: as the next one began. By the clock of now it may have been days ago."""
    text = "SELECT milliseconds, at FROM shifts WHERE number > ? ORDER BY number LIMIT 1"
    for milliseconds, at in rows(db, text, (shift.number,)):
        return _time(at) - timedelta(milliseconds=milliseconds)
    return now


def _moved(shift: Shift, until: datetime, mode: str, created: Any, expires: Any) -> datetime | None:
    """Its end from now on; None: it stays as it is."""
    began, end = _time(created), as_time(expires)
    if shift.by > timedelta():
        if began > shift.at:
            return None  # it was stored since
        if end is None and mode == "push" and shift.recover:
            end = began + shift.recover
    elif shift.at - SINCE <= began <= until:
        return None  # it knows the new time
    return None if end is None else end + shift.by


def _time(value: Any) -> datetime:
    moment = as_time(value)
    assert moment is not None  # a NOT NULL column
    return moment
