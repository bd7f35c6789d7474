"""What time does to open deliveries: given up, expired, leases that ended. For a slice of lanes at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import peewee
from msgspec.structs import replace

from wagate.rules.targets import Health, TargetState
from wagate.storage.deliveries.targets import Owner, target_states, write_states
from wagate.storage.fields import clean, time_text
from wagate.storage.statement import placeholders, rows, run, run_many, slices


def give_up(db: peewee.Database, keys: Sequence[str], *, before: datetime, now: datetime, reason: str) -> list[str]:
    """Give up what waits in these lanes for targets that are down since longer than it may; the keys concerned.

    Too old is what was stored ``before`` then, or whose own ``expires_at`` has passed. What is being delivered just now
    is left alone. ``reason`` begins the error, the last error follows.
    """
    found: list[tuple[Any, ...]] = []
    for part in slices(keys):
        text = (
            "SELECT id, key, target_id, held, error, handler, client_id FROM deliveries "  # noqa: S608
            f"WHERE key IN ({placeholders(len(part))}) AND settled = FALSE AND mode = 'push' "
            "AND status <> 'delivering' AND stuck = FALSE AND COALESCE(expires_at <= ?, created_at <= ?)"
        )
        found += rows(db, text, [*part, time_text(now), time_text(before)])
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
