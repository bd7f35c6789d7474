"""Targets that are down or have been failing for long: who is due, and who takes care of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.storage.deliveries.targets import switch_off
from wagate.storage.fields import as_time, time_text
from wagate.storage.statement import rows, run


class DownTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target that waits for its next probe."""

    id: str
    next_probe_at: datetime


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A target that accepted nothing between two moments."""

    id: str
    client_id: int | None
    failing_since: datetime
    last_attempt_at: datetime
    """The last failure so far."""
    last_error: str | None
    alerted: int
    """Alerts given already."""


def down_targets(db: peewee.Database) -> list[DownTarget]:
    """All that are down and neither switched off nor paused."""
    text = (
        "SELECT id, next_probe_at FROM targets "
        "WHERE down_since IS NOT NULL AND status <> 'disabled' AND paused_at IS NULL"
    )
    found = rows(db, text)
    return [DownTarget(id=id_, next_probe_at=_time(at)) for id_, at in found if at is not None]


def claim_probe(db: peewee.Database, target: DownTarget, until: datetime, holder: str) -> bool:
    """Whether this process is the one to probe it now; others leave it until then, or until its holder ends."""
    text = (
        "UPDATE targets SET next_probe_at = ?, probed_by = ? "
        "WHERE id = ? AND next_probe_at = ? AND down_since IS NOT NULL"
    )
    return run(db, text, (time_text(until), holder, target.id, time_text(target.next_probe_at))) > 0


def end_probes(db: peewee.Database, now: datetime, holder: str | None = None) -> int:
    """What a process probed that has ended is probed now; ``holder`` None: of all. How many targets."""
    whose = "probed_by = ?" if holder else "probed_by IS NOT NULL"
    text = f"UPDATE targets SET next_probe_at = ?, probed_by = NULL WHERE down_since IS NOT NULL AND {whose}"  # noqa: S608
    return run(db, text, (time_text(now), holder) if holder else (time_text(now),))


def probe_now(db: peewee.Database, target_id: str, now: datetime) -> None:
    """Have a target that is down probed at once; when it fails again, its probes begin with short waits anew."""
    text = (
        "UPDATE targets SET next_probe_at = ?, probes = 0, probed_by = NULL "
        "WHERE id = ? AND down_since IS NOT NULL AND next_probe_at > ?"
    )
    run(db, text, (time_text(now), target_id, time_text(now)))


def failing_targets(db: peewee.Database) -> list[Failing]:
    """All whose last try failed, but those switched off or paused."""
    text = (
        "SELECT id, client_id, failing_since, last_attempt_at, last_error, alerted FROM targets "
        "WHERE failing_since IS NOT NULL AND last_attempt_at IS NOT NULL AND status <> 'disabled' "
        "AND paused_at IS NULL"
    )
    return [
        Failing(
            id=id_,
            client_id=client,
            failing_since=_time(since),
            last_attempt_at=_time(last),
            last_error=error,
            alerted=alerted,
        )
        for id_, client, since, last, error, alerted in rows(db, text)
    ]


def claim_alert(db: peewee.Database, target: Failing, level: int, *, disable: bool, now: datetime) -> bool:
    """Whether this process is the one to give an alert; with ``disable`` the target is switched off as well."""
    text = "UPDATE targets SET alerted = ?, updated_at = ? WHERE id = ? AND alerted = ? AND failing_since = ?"
    params = (level, time_text(now), target.id, target.alerted, time_text(target.failing_since))
    if not run(db, text, params):
        return False
    if disable:
        run(db, "UPDATE targets SET status = 'disabled' WHERE id = ?", (target.id,))
        switch_off(db, [target.id], now)
    return True


def _time(value: Any) -> datetime:
    moment = as_time(value)
    assert moment is not None
    return moment
