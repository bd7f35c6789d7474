"""Marks of which time it was: they show when nobody was at work, and a clock that leapt."""

from __future__ import annotations

from datetime import datetime, timedelta

import peewee

from wagate.storage.database import apart, beat, last_beat

CLOCK = "clock"
"""The heartbeat that tells which time it was: none of a moment to come."""
ABSENCE = timedelta(minutes=5)
"""A time without a mark is called an absence from here on."""
LEAP = timedelta(days=1)
"""A leap of the clock is called one from here on, and a clock that leapt is doubted for so long."""
_LEAPT, _BEFORE = "clock leapt", "before the clock leapt"


@apart
def mark_time(db: peewee.Database, now: datetime) -> None:
    """Write down which time it is, unless a later one stands there: that is a step to be claimed."""
    marked = last_beat(db, CLOCK, lock=True)
    if marked is None or marked <= now:
        beat(db, CLOCK, now)


def claim_absence(db: peewee.Database, now: datetime) -> timedelta | None:
    """If the last mark is `ABSENCE` old or older, how old it was; the mark is now, then."""
    marked = last_beat(db, CLOCK, lock=True)
    if marked is None or now - marked < ABSENCE:
        return None
    if now - marked >= LEAP:
        leapt = last_beat(db, _LEAPT)
        worked = LEAP if leapt is None else abs(marked - leapt)
        if worked < LEAP:
            # The time before this leap is in doubt itself: that before the first one stays, and is doubted no longer.
            beat(db, _LEAPT, now - worked)
        else:
            beat(db, _LEAPT, now)
            beat(db, _BEFORE, marked)
    beat(db, CLOCK, now)
    return now - marked


def believed(db: peewee.Database, now: datetime) -> datetime:
    """The time by which old rows may go: for a day after a leap it is the time before it, else ``now``.

    A machine that was off and a clock that is set wrong look the same. A clock that stays wrong for a day is believed.
    """
    marked, leapt, before = (last_beat(db, name) for name in (CLOCK, _LEAPT, _BEFORE))
    if marked is not None and now - marked >= LEAP:
        return marked  # nobody has noted it yet
    if leapt is None or before is None or abs(now - leapt) >= LEAP:
        return now
    return min(before, now)
