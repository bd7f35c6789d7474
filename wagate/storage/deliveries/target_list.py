"""All targets for people: who they are, how they are, what waits for them. And the pause of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import peewee

from wagate.errors import NotFoundError
from wagate.rules.targets import Standing, TargetState
from wagate.storage.deliveries.targets import COLUMNS, read_state
from wagate.storage.fields import as_time, time_text
from wagate.storage.lead import first_id
from wagate.storage.statement import placeholders, rows, run, slices

LATELY = timedelta(hours=24)
"""What failed for good of what came in so lately is counted."""

_STATES = f"SELECT id, client_id, paused_by, {', '.join(COLUMNS)} FROM targets"  # noqa: S608  (our own words)
_ENDPOINTS = "SELECT connector || ':' || id, client_id, name, webhook_url, is_active FROM webhooks"
_WAITING = (
    "SELECT target_id, COUNT(*), MIN(created_at), MIN(id) FROM deliveries WHERE settled = FALSE{which} "
    "GROUP BY target_id"
)
_FAILED = (
    "SELECT target_id, COUNT(*) FROM deliveries WHERE status = 'failed' AND status <> 'delivered' AND settled = TRUE "
    "AND id >= ?{which} GROUP BY target_id"
)


class TargetRow(msgspec.Struct, kw_only=True):
    """One target with its figures."""

    id: str
    """``<handler>:<the handler's own id>``."""
    client_id: int | None = None
    """Whose it is; None: not known, as nothing was ever sent there."""
    name: str = ""
    """Of the endpoint behind it, if there is one."""
    url: str = ""
    """Likewise."""
    active: bool = True
    """False: its endpoint is switched off."""
    state: TargetState = TargetState()
    paused_by: str | None = None
    waiting: int = 0
    """Deliveries that are not settled."""
    oldest_at: datetime | None = None
    """When the oldest of them was stored."""
    failed: int = 0
    """Failed for good, of what was stored in the last 24 hours."""

    @property
    def standing(self) -> Standing:
        """In one word."""
        return self.state.standing if self.active else Standing.DISABLED


def list_targets(db: peewee.Database, now: datetime, *, client_id: int | None = None) -> list[TargetRow]:
    """All that were ever tried, have something waiting, or are registered, by id; ``client_id`` None: of all."""
    found = _read(db, now, None)
    mine = (each for each in found.values() if client_id is None or each.client_id == client_id)
    return sorted(mine, key=lambda each: each.id)


def get_target(db: peewee.Database, target_id: str, now: datetime, *, client_id: int | None = None) -> TargetRow:
    """One target. NotFoundError: there is none of this client."""
    found = _read(db, now, target_id).get(target_id)
    if found is None or client_id not in {None, found.client_id}:
        raise NotFoundError("no such target")
    return found


def some_targets(db: peewee.Database, *, client_id: int | None, most: int) -> list[TargetRow]:
    """Registered endpoints and targets that were tried, up to so many, by id: names alone, no figures."""
    which, params = ("", []) if client_id is None else (" WHERE client_id = ?", [client_id])
    found = {
        id_: TargetRow(id=id_, client_id=client, name=name, url=url)
        for id_, client, name, url, _ in rows(db, f"{_ENDPOINTS}{which} LIMIT ?", [*params, most])
    }
    for id_, client in rows(db, f"SELECT id, client_id FROM targets{which} ORDER BY id LIMIT ?", [*params, most]):  # noqa: S608
        found.setdefault(id_, TargetRow(id=id_, client_id=client))
    return sorted(found.values(), key=lambda each: each.id)[:most]


def named_targets(db: peewee.Database, ids: Sequence[str]) -> dict[str, TargetRow]:
    """These targets with the names of their endpoints, no figures."""
    found = {each: TargetRow(id=each) for each in ids}
    own = sorted({each.partition(":")[2] for each in ids})
    for part in slices(own):
        text = f"{_ENDPOINTS} WHERE id IN ({placeholders(len(part))})"
        for id_, client, name, url, _ in rows(db, text, part):
            if id_ in found:
                found[id_] = TargetRow(id=id_, client_id=client, name=name, url=url)
    return found


def pause_target(db: peewee.Database, row: TargetRow, by: str, now: datetime) -> None:
    """Let a target wait, from now on."""
    moment = time_text(now)
    run(
        db,
        "INSERT INTO targets (id, handler, client_id, status, failure_count, streak, probes, alerted, updated_at, "
        "paused_at, paused_by) VALUES (?, ?, ?, 'active', 0, 0, 0, 0, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "paused_at = COALESCE(targets.paused_at, excluded.paused_at), "
        "paused_by = CASE WHEN targets.paused_at IS NULL THEN excluded.paused_by ELSE targets.paused_by END, "
        "updated_at = excluded.updated_at",
        (row.id, row.id.partition(":")[0], row.client_id, moment, moment, by),
    )


def resume_target(db: peewee.Database, target_id: str, now: datetime) -> None:
    """End its pause; one that is down is probed at once."""
    run(
        db,
        "UPDATE targets SET paused_at = NULL, paused_by = NULL, resumed_at = ?, updated_at = ?, "
        "next_probe_at = CASE WHEN down_since IS NULL THEN next_probe_at ELSE ? END "
        "WHERE id = ? AND paused_at IS NOT NULL",
        (time_text(now), time_text(now), time_text(now), target_id),
    )


def _read(db: peewee.Database, now: datetime, only: str | None) -> dict[str, TargetRow]:
    found: dict[str, TargetRow] = {}
    _endpoints(db, found, only)
    where, params = ("", []) if only is None else (" WHERE id = ?", [only])
    for id_, client, paused_by, *values in rows(db, _STATES + where, params):
        row = found.setdefault(id_, TargetRow(id=id_))
        row.state, row.paused_by = read_state(values), paused_by
        row.client_id = client if row.client_id is None else row.client_id
    which, params = ("", []) if only is None else (" AND target_id = ?", [only])
    unknown: list[tuple[str, str]] = []
    for id_, count, oldest, sample in rows(db, _WAITING.format(which=which), params):
        row = found.setdefault(id_, TargetRow(id=id_))
        row.waiting, row.oldest_at = int(count), as_time(oldest)
        if row.client_id is None:
            unknown.append((id_, sample))
    for id_, count in rows(db, _FAILED.format(which=which), [first_id(now - LATELY), *params]):
        found.setdefault(id_, TargetRow(id=id_)).failed = int(count)
    _owners(db, found, unknown)
    return found


def _endpoints(db: peewee.Database, found: dict[str, TargetRow], only: str | None) -> None:
    where, params = ("", []) if only is None else (" WHERE id = ?", [only.partition(":")[2]])
    for id_, client, name, url, active in rows(db, _ENDPOINTS + where, params):
        if only in {None, id_}:
            found[id_] = TargetRow(id=id_, client_id=client, name=name, url=url, active=bool(active))


def _owners(db: peewee.Database, found: dict[str, TargetRow], unknown: Iterable[tuple[str, str]]) -> None:
    """Who owns those of which only a waiting delivery is known."""
    for id_, sample in unknown:
        for (client,) in rows(db, "SELECT client_id FROM deliveries WHERE id = ?", [sample]):
            found[id_].client_id = client
