"""Health of targets: read it, fold tries into it, write it back; who of those that are down is probed, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.rules.targets import TargetState
from wagate.storage.fields import as_time, clean, optional, time_text
from wagate.storage.owners.revision import bump
from wagate.storage.statement import for_update, placeholders, rows, run, run_many, slices


class Owner(msgspec.Struct, frozen=True):
    """Whose target it is, for a row made at its first try."""

    handler: str
    client_id: int


COLUMNS = tuple(field.name for field in msgspec.structs.fields(TargetState))
TIMES = frozenset({name for name in COLUMNS if name.endswith(("_since", "_at"))})
_READ = ", ".join(COLUMNS)
_UPSERT = (
    f"INSERT INTO targets (id, handler, client_id, updated_at, {_READ}) "  # noqa: S608  (column names of our own)
    f"VALUES ({placeholders(4 + len(COLUMNS))}) ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, "
    # An inbox may be moved to another client.
    "client_id = COALESCE(excluded.client_id, targets.client_id), "
    # Whoever probes it is done as soon as there is another time for the next one.
    "probed_by = CASE WHEN targets.next_probe_at = excluded.next_probe_at THEN targets.probed_by END, "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
)


def target_states(db: peewee.Database, ids: Iterable[str], *, lock: bool = False) -> dict[str, TargetState]:
    """States of these targets; one that was never tried has no row and is not in the answer.

    ``lock``: keep other processes from changing them until the commit.
    """
    found: dict[str, TargetState] = {}
    for part in slices(sorted(set(ids))):
        text = f"SELECT id, {_READ} FROM targets WHERE id IN ({placeholders(len(part))}) ORDER BY id"  # noqa: S608
        for name, *values in rows(db, text + for_update(db, lock=lock), part):
            found[name] = read_state(values)
    return found


def known_handlers(db: peewee.Database, names: Iterable[str]) -> set[str]:
    """Those of these connectors that a delivery was ever tried for, or that have some."""
    text = (
        "SELECT EXISTS (SELECT 1 FROM targets WHERE handler = ?) OR EXISTS (SELECT 1 FROM deliveries WHERE handler = ?)"
    )
    return {name for name in names if rows(db, text, (name, name))[0][0]}


def write_states(
    db: peewee.Database, states: Mapping[str, TargetState], owners: Mapping[str, Owner], now: datetime
) -> None:
    """Write states, making rows for targets that have none."""
    moment = time_text(now)
    run_many(
        db,
        _UPSERT,
        [
            (name, owners[name].handler, owners[name].client_id, moment, *_values(state))
            for name, state in sorted(states.items())
        ],
    )


def switch_off(db: peewee.Database, ids: Sequence[str], now: datetime) -> None:
    """Make the endpoints behind these targets inactive, where there are any, and have everybody take that up."""
    for name in ids:
        handler, _, own_id = name.partition(":")
        text = "UPDATE webhooks SET is_active = FALSE, updated_at = ? WHERE id = ? AND connector = ?"
        run(db, text, (time_text(now), own_id, handler))
    bump(db, "webhook", *(name.partition(":")[2] for name in ids))


def read_state(values: Sequence[Any]) -> TargetState:
    """Values of `COLUMNS`, as the driver gives them."""
    named: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
    return TargetState(**(named | {name: as_time(named[name]) for name in TIMES}))


def _values(state: TargetState) -> list[Any]:
    values: list[Any] = []
    for name in COLUMNS:
        value = getattr(state, name)
        if isinstance(value, datetime):
            value = time_text(value)
        values.append(optional(value) if name == "last_error" else clean(value) if name == "status" else value)
    return values


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
    resumed_at: datetime | None = None
    """When nothing kept it from being tried any more: the end of a pause, or of a time in which nobody was at work."""


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
        "SELECT id, client_id, failing_since, last_attempt_at, last_error, alerted, resumed_at FROM targets "
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
            resumed_at=as_time(resumed),
        )
        for id_, client, since, last, error, alerted, resumed in rows(db, text)
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
