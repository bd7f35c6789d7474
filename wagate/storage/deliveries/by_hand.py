"""What people do to deliveries: run them again, cancel them, replay what a target missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.errors import ConflictError, NotFoundError
from wagate.storage.deliveries.lanes import take_seqs
from wagate.storage.deliveries.targets import probe_now
from wagate.storage.events.intake import ROUTED, StoredDelivery
from wagate.storage.fields import as_time, time_text
from wagate.storage.models import Delivery
from wagate.storage.outbox.sending import in_doubt, reopen
from wagate.storage.statement import for_update, placeholders, rows, run, run_many, slices

_COLUMNS = "id, key, target_id, handler, mode, status, settled, attempt_count, created_at, expires_at, error"
_AGAIN = (
    "UPDATE deliveries SET seq = ?, status = 'pending', settled = FALSE, held = FALSE, stuck = FALSE, "
    "earlier = attempt_count, max_retries = ?, claimed_by = NULL, "
    "first_attempt_at = NULL, next_retry_at = NULL, delivered_at = NULL, lease_id = NULL, lease_until = NULL, "
    "expires_at = ?, updated_at = ? WHERE id = ?"
)


_NOW = (
    "UPDATE deliveries SET status = CASE WHEN status = 'delivering' THEN status ELSE 'pending' END, held = FALSE, "
    "stuck = FALSE, earlier = attempt_count, max_retries = ?, next_retry_at = NULL, updated_at = ? "
    "WHERE id = ? AND settled = FALSE"
)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery gets when it is run again: as much as a new one."""

    max_retries: int
    """Attempts, when its endpoint says nothing else. They are added to those it had."""
    recover: float
    """Seconds in which it may recover, from now; 0: none."""
    now: datetime


class _Row(msgspec.Struct, frozen=True):
    id: str
    key: str
    target_id: str
    handler: str
    mode: str
    status: str
    settled: bool
    attempt_count: int
    created_at: datetime
    expires_at: datetime | None
    error: str | None

    @property
    def stored(self) -> StoredDelivery:
        return StoredDelivery(self.key, self.target_id, self.id, self.mode)


def run_again(db: peewee.Database, delivery_id: str, round_: Round, *, client_id: int | None = None) -> StoredDelivery:
    """Run a delivery again: now when it waits, at the end of its chat when it was final.

    Its attempts so far stay counted and on record; it gets a full round more. Raises NotFoundError;
    ConflictError when it was delivered, made way for others, or is of a message that may have been sent.
    """
    row = _find(db, delivery_id, client_id)
    if row.status == "delivered":
        raise ConflictError("the event was already delivered")
    if row.settled and row.error == ROUTED:
        raise ConflictError("it was routed to its targets; retry those deliveries")
    if row.settled and in_doubt(db, [row.id]):
        raise ConflictError("it may have been sent: look at the phone, and send it as a new message if it is not there")
    if row.settled:
        _queue_again(db, [row], round_)
    else:
        most = row.attempt_count + _max_retries(db, [row]).get(row.target_id, round_.max_retries)
        run(db, _NOW, (most, time_text(round_.now), row.id))
    probe_now(db, row.target_id, round_.now)
    return row.stored


def cancel(db: peewee.Database, delivery_id: str, *, client_id: int | None = None, now: datetime) -> StoredDelivery:
    """Give a delivery up, also one that is being tried: that outcome will not count.

    Raises NotFoundError; ConflictError when it is final.
    """
    row = _find(db, delivery_id, client_id)
    if row.settled:
        raise ConflictError(f"the delivery is already final: {row.status}")
    run(
        db,
        "UPDATE deliveries SET status = 'cancelled', settled = TRUE, held = FALSE, stuck = FALSE, "
        "next_retry_at = NULL, lease_id = NULL, error = 'cancelled', updated_at = ? WHERE id = ?",
        (time_text(now), row.id),
    )
    return row.stored


def skip(db: peewee.Database, delivery_id: str, *, client_id: int | None = None, now: datetime) -> StoredDelivery:
    """Put a delivery that waits at the end of its chat, with the attempts that it had.

    Raises NotFoundError; ConflictError when it is final, or being tried.
    """
    row = _find(db, delivery_id, client_id)
    if row.settled:
        raise ConflictError(f"the delivery is already final: {row.status}")
    if row.status == "delivering":
        raise ConflictError("the delivery is being tried right now; wait for its outcome")
    (seq,) = take_seqs(db, [row.key])
    run(
        db,
        "UPDATE deliveries SET seq = ?, stuck = FALSE, next_retry_at = NULL, updated_at = ? WHERE id = ?",
        (seq, time_text(now), row.id),
    )
    return row.stored


def failed_since(db: peewee.Database, target_id: str, since: datetime) -> list[str]:
    """Ids of what failed permanently at a target at this time or later, in the order of its chats."""
    text = (
        "SELECT id FROM deliveries WHERE target_id = ? AND status = 'failed' AND settled = TRUE AND updated_at >= ? "
        "ORDER BY key, seq"
    )
    return [id_ for (id_,) in rows(db, text, (target_id, time_text(since)))]


def run_all_again(db: peewee.Database, ids: Sequence[str], round_: Round) -> list[StoredDelivery]:
    """Queue failed deliveries again at the end of their chats, in the order given.

    Those that are not failed stay, and those of messages that may have been sent.
    """
    found: dict[str, _Row] = {}
    for part in slices(sorted(ids)):
        where = f"id IN ({placeholders(len(part))}) AND status = 'failed' AND settled = TRUE ORDER BY id"
        found.update({row.id: row for row in _rows(db, where, part)})
    unsure = in_doubt(db, [*found])
    again = [found[each] for each in ids if each in found and each not in unsure]
    _queue_again(db, again, round_)
    for target_id in sorted({row.target_id for row in again}):
        probe_now(db, target_id, round_.now)
    return [row.stored for row in again]


def _queue_again(db: peewee.Database, found: Sequence[_Row], round_: Round) -> None:
    reopen(db, [row.id for row in found], round_.now)
    seqs = take_seqs(db, [row.key for row in found])
    most = _max_retries(db, found)
    run_many(
        db,
        _AGAIN,
        [
            (
                seq,
                row.attempt_count + most.get(row.target_id, round_.max_retries),
                _until(row, round_),
                time_text(round_.now),
                row.id,
            )
            for row, seq in zip(found, seqs, strict=True)
        ],
    )


def _until(row: _Row, round_: Round) -> str | None:
    """When it expires or is given up: as long from now as it had at first."""
    if row.mode == "push":
        return time_text(round_.now + timedelta(seconds=round_.recover)) if round_.recover else None
    if row.expires_at is None:
        return None
    # One that was run again before keeps its first length of time: it is no longer than from its making.
    return time_text(round_.now + (row.expires_at - row.created_at))


def _max_retries(db: peewee.Database, found: Sequence[_Row]) -> dict[str, int]:
    """What the endpoints behind the targets allow, where there are any."""
    own = {row.target_id.partition(":")[2]: row for row in found}
    allowed: dict[str, int] = {}
    for part in slices(sorted(own)):
        text = f"SELECT id, connector, max_retries FROM webhooks WHERE id IN ({placeholders(len(part))})"  # noqa: S608
        allowed.update({f"{connector}:{id_}": most for id_, connector, most in rows(db, text, part)})
    return allowed


def _find(db: peewee.Database, delivery_id: str, client_id: int | None) -> _Row:
    params: list[Any] = [delivery_id]
    where = "id = ?"
    if client_id is not None:
        where += " AND client_id = ?"
        params.append(client_id)
    found = _rows(db, where, params)
    if not found:
        raise NotFoundError("no such delivery")
    return found[0]


def _rows(db: peewee.Database, where: str, params: Sequence[Any]) -> list[_Row]:
    text = f"SELECT {_COLUMNS} FROM deliveries WHERE {where}"  # noqa: S608  (conditions of our own)
    return [_row(values) for values in rows(db, text + for_update(db, lock=True), params)]


def _row(values: Sequence[Any]) -> _Row:
    id_, key, target_id, handler, mode, status, settled, attempts, created, expires, error = values
    made = as_time(created)
    assert made is not None
    return _Row(id_, key, target_id, handler, mode, status, bool(settled), attempts, made, as_time(expires), error)


def cancel_open(db: peewee.Database, which: Any, *, reason: str, now: datetime) -> int:
    """Settle the open deliveries that match a peewee condition as cancelled; how many."""
    # One that is being tried just now is cancelled too: its outcome is recorded by compare-and-set, and loses.
    query = Delivery.update(
        status="cancelled",
        settled=True,
        held=False,
        stuck=False,
        error=reason,
        next_retry_at=None,
        lease_id=None,
        updated_at=now,
    )
    # "seq > 0", which is always so, leads to those that wait: else all that was ever sent there is read.
    count: int = query.where(which, peewee.SQL("settled = FALSE AND seq > 0")).execute(db)
    return count
