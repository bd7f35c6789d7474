"""What does not work just now, for who watches: receivers that are down, accounts that can't send or are logged out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.events import SessionStatus
from wagate.storage.fields import as_time
from wagate.storage.statement import placeholders, rows

MOST = 10_000
"""Waiting deliveries that are counted; a look must stay cheap when millions wait."""
FORGOTTEN = timedelta(days=1)
"""Of a receiver that was not tried for so long, and for which nothing waits, nobody wants anything any more."""
SENDER = "outbound"
"""The handler whose targets are accounts."""
_OWED = """
WITH RECURSIVE owed (id) AS (
  SELECT MIN(target_id) FROM deliveries WHERE settled = FALSE AND seq > 0
  UNION ALL
  SELECT (SELECT MIN(d.target_id) FROM deliveries AS d
    WHERE d.settled = FALSE AND d.seq > 0 AND d.target_id > owed.id) FROM owed WHERE id IS NOT NULL
) SELECT id FROM owed WHERE id IS NOT NULL
"""
# By jumps from target to target in the index of what is open: what waits is not read.
WELL = (SessionStatus.SESSION_CONNECTED, SessionStatus.INITIALIZING, SessionStatus.CONNECTING, SessionStatus.LOADING)


class DownTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver that only gets probes, or an account whose messages wait."""

    id: str
    since: datetime
    error: str
    """Of its last try."""
    oldest: datetime | None
    """When the first of what waits for it was stored; None: nothing waits."""


class Unserved(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a connector that is off, or has another name by now."""

    connector: str
    waiting: int
    """Deliveries; `MOST` stands for as many and more."""
    oldest: datetime
    """When the first of them was stored."""


class LoggedOut(msgspec.Struct, frozen=True, kw_only=True):
    """An account that was connected once, and is not now."""

    status: SessionStatus
    since: datetime
    """When its state was last heard of."""


class NotWorking(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, at one moment."""

    down: list[DownTarget]
    """Receivers, for longest down first."""
    waiting: int
    """Deliveries that wait for these; `MOST` stands for as many and more."""
    failing: int
    """Receivers whose last tries failed, and that are still tried."""
    disabled: int
    """Receivers that were switched off."""
    paused: int
    """Receivers that a person lets wait."""
    senders: Mapping[str, DownTarget]
    """By account's id."""
    logged_out: Mapping[str, LoggedOut]
    """By account's id."""


def not_working(db: peewee.Database, *, handlers: Collection[str], now: datetime) -> NotWorking:
    """Read it; some milliseconds, however much waits. ``handlers``: those that are enabled."""
    targets = _down(db, handlers)
    wanted = now - FORGOTTEN
    receivers = [each for name, tried, each in targets if name != SENDER and (each.oldest or tried > wanted)]
    failing, disabled, paused = _not_well(db, handlers)
    return NotWorking(
        down=sorted(receivers, key=lambda each: each.since),
        waiting=_waiting(db, [each.id for each in receivers if each.oldest]),
        failing=failing,
        disabled=disabled,
        paused=paused,
        senders={each.id.partition(":")[2]: each for name, _, each in targets if name == SENDER},
        logged_out=_logged_out(db),
    )


def unserved(db: peewee.Database, *, handlers: Collection[str]) -> list[Unserved]:
    """Connectors for which something waits, and that are not among ``handlers``, those that are enabled; by name."""
    targets: dict[str, list[str]] = {}
    for (target,) in rows(db, _OWED):
        connector = target.partition(":")[0]
        if connector not in handlers:
            targets.setdefault(connector, []).append(target)
    return [
        Unserved(connector=connector, waiting=_waiting(db, ids), oldest=_oldest(db, ids))
        for connector, ids in sorted(targets.items())
    ]


def _oldest(db: peewee.Database, ids: Collection[str]) -> datetime:
    text = "SELECT created_at FROM deliveries WHERE target_id = ? AND settled = FALSE AND seq > 0 ORDER BY id LIMIT 1"
    return min(_time(at) for target in ids for (at,) in rows(db, text, (target,)))


def _down(db: peewee.Database, handlers: Collection[str]) -> list[tuple[str, datetime, DownTarget]]:
    """(handler, last try, target)."""
    text = (
        "SELECT t.handler, t.last_attempt_at, t.id, t.down_since, t.last_error, (SELECT d.created_at FROM deliveries d "  # noqa: S608
        "WHERE d.target_id = t.id AND d.settled = FALSE AND d.seq > 0 ORDER BY d.id LIMIT 1) FROM targets t "
        "WHERE t.down_since IS NOT NULL AND t.status <> 'disabled' AND t.paused_at IS NULL "
        f"AND t.handler IN ({placeholders(len(handlers))})"
    )
    return [
        (
            handler,
            as_time(tried) or _time(since),
            DownTarget(id=name, since=_time(since), error=error or "", oldest=as_time(oldest)),
        )
        for handler, tried, name, since, error, oldest in rows(db, text, sorted(handlers))
    ]


def _not_well(db: peewee.Database, handlers: Collection[str]) -> tuple[int, int, int]:
    """How many are failing, disabled and paused: each counts once (`wagate.rules.targets.Standing`)."""
    text = (
        "SELECT CASE WHEN status = 'disabled' THEN 1 WHEN paused_at IS NOT NULL THEN 2 ELSE 0 END AS how, COUNT(*) "  # noqa: S608
        "FROM targets WHERE (status = 'disabled' OR paused_at IS NOT NULL OR (failing_since IS NOT NULL AND down_since "
        f"IS NULL)) AND handler <> '{SENDER}' AND handler IN ({placeholders(len(handlers))}) GROUP BY how"
    )
    found = dict(rows(db, text, sorted(handlers)))
    return found.get(0, 0), found.get(1, 0), found.get(2, 0)


def _waiting(db: peewee.Database, ids: Collection[str]) -> int:
    count = 0
    text = (
        "SELECT COUNT(*) FROM "
        "(SELECT 1 FROM deliveries WHERE target_id = ? AND settled = FALSE AND seq > 0 LIMIT ?) AS found"
    )
    for target in ids:
        count += rows(db, text, (target, MOST - count))[0][0]
        if count >= MOST:
            break
    return count


def _logged_out(db: peewee.Database) -> dict[str, LoggedOut]:
    text = (
        "SELECT id, status, updated_at FROM accounts WHERE ever_connected = TRUE "  # noqa: S608  (our words)
        f"AND status NOT IN ({placeholders(len(WELL))})"
    )
    return {
        account: LoggedOut(status=SessionStatus(status), since=_time(at))
        for account, status, at in rows(db, text, [str(each) for each in WELL])
    }


def _time(value: Any) -> datetime:
    found = as_time(value)
    assert found is not None  # of a column that is set here
    return found
