"""All targets at one glance: how many there are and how they are, those that need somebody, and some of the worst.

What is counted and put in order is the database's; of ten thousand targets those alone are read that somebody sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.rules.targets import Standing
from wagate.storage.deliveries.target_list import (
    FAILED,
    LATELY,
    STATE,
    WAITING,
    TargetRow,
    known_targets,
    order_of,
    set_state,
)
from wagate.storage.fields import as_time
from wagate.storage.statement import first_id, placeholders, rows, slices

WORST = (Standing.DOWN, Standing.FAILING, Standing.DISABLED, Standing.PAUSED, Standing.UP)
"""The order of receivers."""
MANY_FAILED = 20
"""Failed for good in a day: so many are worth a look."""
SENDING = "outbound:"
"""How the targets begin that are no receivers: what waits there leaves by our numbers."""

_RANK = "CASE standing {} END".format(" ".join(f"WHEN '{each}' THEN {rank}" for rank, each in enumerate(WORST)))
_URGENT = (
    f"standing = 'down' OR failed > {MANY_FAILED} OR (failed > 0 AND standing = 'failing') "
    "OR (waiting > 0 AND (sends OR standing = 'disabled'))"
)
_WORST = f"{_RANK}, failed DESC, waiting DESC, name{{order}}, id{{order}}"
_SURVEY = f"""
{{known}}, waits (target, waiting, oldest_at) AS ({WAITING}), fails (target, failed) AS ({FAILED}), every AS (
  SELECT k.id, k.client_id, k.name, k.url, k.active, k.standing, COALESCE(w.waiting, 0) AS waiting, w.oldest_at,
    COALESCE(f.failed, 0) AS failed, substr(k.id, 1, {len(SENDING)}) = '{SENDING}' AS sends
  FROM known AS k LEFT JOIN waits AS w ON w.target = k.id LEFT JOIN fails AS f ON f.target = k.id
), shown AS (
  SELECT id FROM every WHERE NOT sends ORDER BY {_WORST} LIMIT ? OFFSET ?
), totals AS (
  SELECT SUM(CASE WHEN sends THEN 0 ELSE 1 END) AS targets,
    SUM(CASE WHEN sends OR standing <> 'up' THEN 0 ELSE 1 END) AS up,
    SUM(CASE WHEN sends THEN 0 ELSE waiting END) AS waits, MIN(CASE WHEN NOT sends THEN oldest_at END) AS oldest,
    SUM(CASE WHEN sends THEN 0 ELSE failed END) AS fails, SUM(CASE WHEN sends THEN waiting ELSE 0 END) AS leaving
  FROM every
)
SELECT t.targets, t.up, t.waits, t.oldest, t.fails, t.leaving, e.id, e.client_id, e.name, e.url, e.active,
  e.waiting, e.oldest_at, e.failed, e.id IN (SELECT id FROM shown)
FROM totals AS t LEFT JOIN every AS e ON e.id IN (SELECT id FROM shown) OR {_URGENT}
ORDER BY {_WORST}
"""  # noqa: S608  (our own words)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Of all receivers."""

    count: int = 0
    up: int = 0
    waiting: int = 0
    oldest_at: datetime | None = None
    """When the oldest delivery that waits was stored."""
    failed: int = 0
    """For good, in 24 hours."""
    leaving: int = 0
    """Messages that wait to be sent, which are no receiver's."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of all targets, and of some."""

    totals: Totals
    shown: Sequence[TargetRow]
    """Receivers, worst first: the part that was asked for."""
    urgent: Sequence[TargetRow]
    """Targets that may need somebody, and numbers from which something waits to leave."""


def survey_targets(
    db: peewee.Database, now: datetime, *, client_id: int | None = None, begin: int = 0, most: int
) -> Survey:
    """Of one client, or of all; of the receivers, worst first, so many from behind the first ``begin``."""
    known, params = known_targets(db, client_id)
    own, mine = ("", []) if client_id is None else (" AND client_id = ?", [client_id])
    text = _SURVEY.format(known=known, which=own, order=order_of(db))
    found = rows(db, text, [*params, *mine, first_id(now - LATELY), *mine, most, begin])
    count, up, waits, oldest, fails, leaving = found[0][:6]
    totals = Totals(
        count=int(count or 0),
        up=int(up or 0),
        waiting=int(waits or 0),
        oldest_at=as_time(oldest),
        failed=int(fails or 0),
        leaving=int(leaving or 0),
    )
    read = [(_row(values), shown) for *values, shown in (each[6:] for each in found) if values[0] is not None]
    _states(db, {row.id: row for row, _ in read})
    return Survey(
        totals=totals,
        shown=[row for row, shown in read if shown],
        urgent=[row for row, _ in read if is_urgent(row)],
    )


def survey_of(targets: Iterable[TargetRow]) -> Survey:
    """The same of targets that were read already, all of them."""
    every = list(targets)
    mine = sorted((row for row in every if not _sends(row)), key=_worst)
    return Survey(
        totals=Totals(
            count=len(mine),
            up=sum(row.standing is Standing.UP for row in mine),
            waiting=sum(row.waiting for row in mine),
            oldest_at=min((row.oldest_at for row in mine if row.oldest_at is not None), default=None),
            failed=sum(row.failed for row in mine),
            leaving=sum(row.waiting for row in every if _sends(row)),
        ),
        shown=mine,
        urgent=[row for row in every if is_urgent(row)],
    )


def is_urgent(row: TargetRow) -> bool:
    """Whether it may need somebody, or something waits there to leave."""
    return (
        row.standing is Standing.DOWN
        or row.failed > MANY_FAILED
        or (row.failed > 0 and row.standing is Standing.FAILING)
        or (row.waiting > 0 and (_sends(row) or row.standing is Standing.DISABLED))
    )


def _row(values: Sequence[Any]) -> TargetRow:
    id_, client, name, url, active, waiting, oldest, failed = values
    row = TargetRow(id=id_, client_id=client, name=name, url=url, active=bool(active), waiting=int(waiting))
    row.oldest_at, row.failed = as_time(oldest), int(failed)
    return row


def _states(db: peewee.Database, found: Mapping[str, TargetRow]) -> None:
    for part in slices([*found]):
        text = f"SELECT id, {STATE} FROM targets WHERE id IN ({placeholders(len(part))})"  # noqa: S608  (ours)
        for id_, *state in rows(db, text, part):
            set_state(found[id_], state)


def _sends(row: TargetRow) -> bool:
    return row.id.startswith(SENDING)


def _worst(row: TargetRow) -> tuple[object, ...]:
    return WORST.index(row.standing), -row.failed, -row.waiting, row.name, row.id
