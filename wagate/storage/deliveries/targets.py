"""Health of targets: read it, fold tries into it, write it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.rules.targets import TargetState
from wagate.storage.fields import as_time, clean, optional, time_text
from wagate.storage.owners.revision import bump
from wagate.storage.statement import placeholders, rows, run, run_many, slices


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


def for_update(db: peewee.Database, *, lock: bool) -> str:
    """`` FOR UPDATE`` where rows can be locked; SQLite has one writer anyway."""
    return " FOR UPDATE" if lock and db.param != "?" else ""


def _values(state: TargetState) -> list[Any]:
    values: list[Any] = []
    for name in COLUMNS:
        value = getattr(state, name)
        if isinstance(value, datetime):
            value = time_text(value)
        values.append(optional(value) if name == "last_error" else clean(value) if name == "status" else value)
    return values
