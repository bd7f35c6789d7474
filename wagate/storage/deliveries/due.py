"""What time does to open deliveries: overdue, leases that ended, and all moved when the clock is set back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import peewee
from msgspec.structs import replace

from wagate.rules.targets import Health, TargetState
from wagate.storage.clock_marks import CLOCK, claim_absence
from wagate.storage.database import beat, last_beat
from wagate.storage.deliveries.ends import owe, owed
from wagate.storage.deliveries.targets import Owner, target_states, write_states
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import placeholders, rows, run, run_many, slices

SLICE = 500
ELSEWHERE = (
    ("targets", "next_probe_at"),
    ("targets", "streak_since"),
    ("targets", "last_success_at"),
    ("targets", "resumed_at"),
    ("media", "next_at"),
    ("accounts", "qr_at"),
)
"""Tables of few rows, and times in them that something waits for, or that must not be later than now."""


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
    back = seen or marked - now
    owe(db, -back, now)
    return back


def note_absence(db: peewee.Database, now: datetime, recover: float) -> timedelta | None:
    """If nobody was at work for `ABSENCE` or longer, that time counts for nothing that waits; how long it was.

    No process ran, the machine slept, its clock was set ahead, the database took nothing, or Redis was away: nothing
    was tried. What waits ends later by so long, once `move_ends` has gone through it.
    ``recover``: seconds that a delivery has; 0: none.
    """
    away = claim_absence(db, now)
    if away is not None:
        owe(db, away, now, recover=recover)
        _excuse(db, away)
    return away


def _excuse(db: peewee.Database, away: timedelta) -> None:
    """Targets in trouble were not tried for so long: that is no time in which they failed."""
    found = rows(
        db,
        "SELECT id, resumed_at, failing_since FROM targets WHERE failing_since IS NOT NULL AND paused_at IS NULL "
        "ORDER BY id",
    )
    moved = []
    for id_, *times in found:
        since = max(at for each in times if (at := as_time(each)) is not None)
        moved.append((time_text(since + away), id_))
    run_many(db, "UPDATE targets SET resumed_at = ? WHERE id = ?", moved)


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


def give_up(db: peewee.Database, keys: Sequence[str], *, before: datetime, now: datetime, reason: str) -> list[str]:
    """Give up what waits in these lanes for targets that are down since longer than it may; the keys concerned.

    Too old is what was stored ``before`` then, or whose own ``expires_at`` has passed. What is being delivered just now
    is left alone, and all as long as `owed`. ``reason`` begins the error, the last error follows.
    """
    if owed(db):
        return []
    found: list[tuple[Any, ...]] = []
    for part in slices(keys):
        text = (
            "SELECT id, key, target_id, held, error, handler, client_id FROM deliveries "  # noqa: S608
            f"WHERE key IN ({placeholders(len(part))}) AND settled = FALSE AND mode = 'push' "
            "AND status <> 'delivering' AND stuck = FALSE AND COALESCE(expires_at <= ?, created_at <= ?) "
            "AND NOT EXISTS (SELECT 1 FROM targets WHERE id = target_id AND resumed_at > ?)"
        )
        found += rows(db, text, [*part, time_text(now), time_text(before), time_text(before)])
    if not found:
        return []
    run_many(
        db,
        "UPDATE deliveries SET status = 'failed', settled = TRUE, held = FALSE, next_retry_at = NULL, error = ?, "
        "updated_at = ? WHERE id = ? AND settled = FALSE",
        [
            (clean(f"{reason}: {error or 'the target did not answer'}"), time_text(now), id_)
            for id_, _, _, _, error, _, _ in found
        ],
    )
    lost = Counter(target for _, _, target, held, _, _, _ in found if not held)
    owners = {target: Owner(handler, client) for _, _, target, _, _, handler, client in found}
    _count_failures(db, lost, owners, now)
    return sorted({row[1] for row in found})


def _count_failures(db: peewee.Database, lost: Counter[str], owners: dict[str, Owner], now: datetime) -> None:
    states = target_states(db, owners, lock=True)
    after = {}
    for target in owners:
        state = states.get(target, TargetState())
        status = state.status if state.disabled else Health.FAILED
        after[target] = replace(state, status=status, failure_count=state.failure_count + lost[target])
    write_states(db, after, owners, now)


def end_leases(db: peewee.Database, keys: Sequence[str], now: datetime) -> list[str]:
    """Queue jobs of these lanes again whose lease ended, expire those past their time; keys of expired ones."""
    expired: set[str] = set()
    if owed(db):
        return []
    moment = time_text(now)
    for part in slices(keys):
        lanes = f"key IN ({placeholders(len(part))}) AND settled = FALSE AND mode = 'pull'"
        run(
            db,
            "UPDATE deliveries SET status = 'pending', lease_id = NULL, lease_until = NULL, updated_at = ? "  # noqa: S608
            f"WHERE {lanes} AND status = 'delivering' AND lease_until <= ?",
            [moment, *part, moment],
        )
        gone = rows(
            db,
            "UPDATE deliveries SET status = 'expired', settled = TRUE, error = 'expired', next_retry_at = NULL, "  # noqa: S608
            f"updated_at = ? WHERE {lanes} AND status <> 'delivering' AND expires_at <= ? RETURNING key",
            [moment, *part, moment],
        )
        expired.update(key for (key,) in gone)
    return sorted(expired)
