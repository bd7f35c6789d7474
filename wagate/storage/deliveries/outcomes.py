"""Write down how tries ended: by compare-and-set, so that nobody overwrites what was settled or tried since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.rules.states import Settled, Status
from wagate.rules.targets import TargetState
from wagate.storage.database import apart, bulk
from wagate.storage.deliveries.targets import Owner, switch_off, target_states, write_states
from wagate.storage.fields import optional, time_text
from wagate.storage.statement import for_update, insert_many, placeholders, rows, run, run_many, slices

_UPDATE = (
    "UPDATE deliveries SET status = ?, settled = ?, held = ?, stuck = ?, claimed_by = NULL, attempt_count = ?, "
    "http_status = ?, response = ?, error = ?, first_attempt_at = COALESCE(first_attempt_at, ?), next_retry_at = ?, "
    "delivered_at = ?, updated_at = ? WHERE id = ?"
)
_INSERT = "INSERT INTO attempts (delivery_id, number, started_at, duration_ms, http_status, error, response)"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One try that is over."""

    delivery_id: str
    attempt_count: int
    """As it was when the try began: when it has moved, this outcome does not count."""
    tried_before: bool
    """Whether there may be attempts on record."""
    target_id: str
    owner: Owner
    started_at: datetime
    duration_ms: int
    now: datetime
    http_status: int | None
    response: str | None
    error: str | None
    """Of this try; None: it was accepted."""
    settle: Callable[[TargetState], Settled]
    """Decides, from the target's state after all tries recorded before this one."""


@apart
@bulk
def record(db: peewee.Database, items: list[Outcome]) -> list[Settled | None]:
    """Settle and write; what each came to, or None when it did not count (tried or settled by others since)."""
    current = _current(db, items)
    before = target_states(db, {item.target_id for item in items}, lock=True)
    states = dict(before)
    became: list[Settled | None] = []
    for item in items:
        if current.get(item.delivery_id) != item.attempt_count:
            became.append(None)
            continue
        settled = item.settle(states.get(item.target_id) or TargetState())
        states[item.target_id] = settled.target
        # A second outcome of the same try in one batch does not count either.
        del current[item.delivery_id]
        became.append(settled)
    pairs = [(item, settled) for item, settled in zip(items, became, strict=True) if settled is not None]
    if pairs:
        _write(db, pairs)
        _write_targets(db, pairs, before, states)
    return became


def _current(db: peewee.Database, items: Sequence[Outcome]) -> dict[str, int]:
    """Attempts of those that are not settled, locked until the commit."""
    found: dict[str, int] = {}
    for part in slices(sorted({item.delivery_id for item in items})):
        marks = placeholders(len(part))
        text = f"SELECT id, attempt_count FROM deliveries WHERE id IN ({marks}) AND settled = FALSE ORDER BY id"  # noqa: S608
        found.update(rows(db, text + for_update(db, lock=True), part))
    return found


def _write(db: peewee.Database, pairs: Sequence[tuple[Outcome, Settled]]) -> None:
    run_many(db, _UPDATE, [_delivery_row(item, settled) for item, settled in pairs])
    numbers = attempt_numbers(db, [item.delivery_id for item, _ in pairs if item.tried_before])
    insert_many(db, _INSERT, [_attempt_row(item, numbers.get(item.delivery_id, 0) + 1) for item, _ in pairs])


def _write_targets(
    db: peewee.Database,
    pairs: Sequence[tuple[Outcome, Settled]],
    before: dict[str, TargetState],
    states: dict[str, TargetState],
) -> None:
    owners = {item.target_id: item.owner for item, _ in pairs}
    now = max(item.now for item, _ in pairs)
    write_states(db, {name: states[name] for name in owners}, owners, now)
    # How its targets are is no part of the directory: only one that is switched off makes everybody load it again.
    was = {name: before.get(name, TargetState()) for name in owners}
    off = [name for name in sorted(owners) if states[name].disabled and not was[name].disabled]
    if off:
        switch_off(db, off, now)


def attempt_numbers(db: peewee.Database, ids: Iterable[str]) -> dict[str, int]:
    """Number of the last attempt on record of each delivery that has any."""
    found: dict[str, int] = {}
    for part in slices(sorted(set(ids))):
        text = (
            "SELECT delivery_id, MAX(number) FROM attempts "  # noqa: S608
            f"WHERE delivery_id IN ({placeholders(len(part))}) GROUP BY delivery_id"
        )
        found.update(rows(db, text, part))
    return found


def _delivery_row(item: Outcome, settled: Settled) -> tuple[Any, ...]:
    now = time_text(item.now)
    return (
        settled.status,
        settled.final,
        settled.held,
        settled.stuck,
        item.attempt_count + settled.counted,
        item.http_status,
        optional(item.response),
        optional(settled.error),
        time_text(item.started_at),
        None if settled.next_retry_at is None else time_text(settled.next_retry_at),
        now if settled.status == Status.DELIVERED else None,
        now,
        item.delivery_id,
    )


def _attempt_row(item: Outcome, number: int) -> tuple[Any, ...]:
    started, error, response = time_text(item.started_at), optional(item.error), optional(item.response)
    return item.delivery_id, number, started, item.duration_ms, item.http_status, error, response


@apart
def mark_delivering(db: peewee.Database, tries: Sequence[tuple[str, int]], now: datetime) -> None:
    """Show deliveries, each with its number of attempts so far, as being delivered, unless they are past that."""
    run_many(
        db,
        "UPDATE deliveries SET status = 'delivering', updated_at = ? "
        "WHERE id = ? AND attempt_count = ? AND settled = FALSE",
        [(time_text(now), delivery_id, attempts) for delivery_id, attempts in tries],
    )


def unmark(db: peewee.Database, ids: Sequence[str], now: datetime) -> None:
    """Nobody delivers them any more (a stop, a worker that died): they wait again."""
    for part in slices(sorted(ids)):
        run(
            db,
            "UPDATE deliveries SET status = CASE WHEN held = TRUE THEN 'failed' ELSE 'pending' END, updated_at = ? "  # noqa: S608
            f"WHERE id IN ({placeholders(len(part))}) AND status = 'delivering' AND settled = FALSE",
            (time_text(now), *part),
        )
