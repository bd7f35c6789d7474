"""Jobs: open deliveries that somebody takes under a lease, one of a chat at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import peewee

from wagate.errors import ConflictError, NotFoundError
from wagate.storage.deliveries.ends import owed
from wagate.storage.deliveries.outcomes import attempt_numbers
from wagate.storage.fields import as_time, json_text, optional, time_text
from wagate.storage.statement import for_update, placeholders, rows, run

_HEAD = (
    "SELECT id, status, lease_until, next_retry_at, expires_at FROM deliveries "
    "WHERE key = ? AND settled = FALSE ORDER BY seq LIMIT 1"
)
_LEASE = (
    "UPDATE deliveries SET status = 'delivering', lease_id = ?, lease_until = ?, started_at = ?, updated_at = ?, "
    "first_attempt_at = COALESCE(first_attempt_at, ?) WHERE id = ?"
)
_EXPIRE = "UPDATE deliveries SET status = 'expired', settled = TRUE, error = 'expired', updated_at = ? WHERE id = ?"
_JOB = (
    "SELECT id, key, status, settled, attempt_count, max_retries, lease_id, lease_until, started_at, client_id "
    "FROM deliveries WHERE mode = 'pull' AND "
)


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a lane, taken."""

    job_id: str


class NotYet(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a lane can be taken in so many seconds."""

    seconds: float


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job's lane."""

    job_id: str
    key: str
    lease_id: str | None
    """The lease that it was under."""
    more: bool = False
    """Other jobs of the lane wait."""
    after: float | None = None
    """The job itself is tried again after so many seconds; None: it is final."""
    changed: bool = True
    """False: it had been finished so before."""


class _Job(msgspec.Struct, frozen=True):
    id: str
    key: str
    status: str
    settled: bool
    attempt_count: int
    max_retries: int
    lease_id: str | None
    lease_until: datetime | None
    started_at: datetime | None
    client_id: int

    def leased(self, now: datetime) -> bool:
        return self.status == "delivering" and self.lease_until is not None and self.lease_until > now


def lease_head(db: peewee.Database, key: str, lease_id: str, *, lease: float, now: datetime) -> Leased | NotYet | None:
    """Lease the head of a lane, expiring what is past its time; None: nothing waits there."""
    while found := rows(db, _HEAD + for_update(db, lock=True), (key,)):
        ((job_id, status, lease_until, next_retry_at, expires_at),) = found
        until, due, end = as_time(lease_until), as_time(next_retry_at), as_time(expires_at)
        if status == "delivering" and until is not None and until > now:
            return NotYet(seconds=(until - now).total_seconds())
        if end is not None and end <= now:
            if owed(db):
                return NotYet(seconds=1.0)
            run(db, _EXPIRE, (time_text(now), job_id))
            continue
        if due is not None and due > now:
            return NotYet(seconds=(due - now).total_seconds())
        moment, ends = time_text(now), time_text(now + timedelta(seconds=lease))
        run(db, _LEASE, (lease_id, ends, moment, moment, moment, job_id))
        return Leased(job_id=job_id)
    return None


def heartbeat(
    db: peewee.Database, job_id: str, *, client_id: int | None, lease_id: str | None, lease: float, now: datetime
) -> Finished:
    """Lengthen a lease. NotFoundError; ConflictError when it is stale, or over."""
    job = _find(db, job_id, client_id)
    if job.settled or not job.leased(now):
        raise ConflictError("the lease has expired; take the job again", field="lease_id")
    if lease_id is not None and lease_id != job.lease_id:
        raise ConflictError("another worker holds the lease now", field="lease_id")
    text = "UPDATE deliveries SET lease_until = ?, updated_at = ? WHERE id = ?"
    run(db, text, (time_text(now + timedelta(seconds=lease)), time_text(now), job.id))
    return Finished(job_id=job.id, key=job.key, lease_id=job.lease_id, after=lease)


def finish(
    db: peewee.Database,
    job_id: str,
    *,
    client_id: int | None,
    status: Literal["completed", "failed", "queued"],
    lease_id: str | None,
    result: Any,
    error: str | None,
    wait: float,
    now: datetime,
) -> Finished:
    """Complete a job, fail it (again after ``wait`` seconds while it has attempts left), or give it back unspent.

    Without a ``lease_id`` any job that was taken can be finished. NotFoundError; ConflictError when the lease is stale
    or the job is final otherwise.
    """
    job = _find(db, job_id, client_id)
    if job.settled:
        same = {"completed": "delivered", "failed": "failed"}.get(status) == job.status
        if not same or (lease_id is not None and lease_id != job.lease_id):
            raise ConflictError(f"the job is already final: {WORDS[job.status]}", field="status")
        return Finished(job_id=job.id, key=job.key, lease_id=None, changed=False)
    _may_finish(job, lease_id, now)
    if status != "queued":
        _note(db, job, error if status == "failed" else None, now)
    match status:
        case "completed":
            _settle(db, job, "delivered", result=result, error=None, now=now)
            after = None
        case "failed" if job.attempt_count + 1 >= job.max_retries:
            _settle(db, job, "failed", result=result, error=error, now=now)
            after = None
        case "failed":
            after = wait
            _requeue(db, job, error, now + timedelta(seconds=wait), now, spent=1)
        case "queued":
            after = 0.0
            _requeue(db, job, error, None, now, spent=0)
    return Finished(job_id=job.id, key=job.key, lease_id=job.lease_id, more=_more(db, job.key), after=after)


def waiting(db: peewee.Database, target_ids: Sequence[str], now: datetime) -> int:
    """How many jobs of these targets are neither done nor leased. Costs as much as there is open, not as is stored."""
    if not target_ids:
        return 0
    text = (
        "SELECT COUNT(*) FROM deliveries WHERE settled = FALSE AND seq > 0 AND (mode || '') = 'pull' "  # noqa: S608
        f"AND target_id IN ({placeholders(len(target_ids))}) "
        "AND NOT (status = 'delivering' AND lease_until > ?)"
    )
    ((count,),) = rows(db, text, [*target_ids, time_text(now)])
    return int(count)


WORDS = {
    "pending": "queued",
    "delivering": "processing",
    "delivered": "completed",
    "failed": "failed",
    "cancelled": "failed",
    "expired": "expired",
}
"""A delivery's status → a job's."""


def _may_finish(job: _Job, lease_id: str | None, now: datetime) -> None:
    if lease_id is not None and (lease_id != job.lease_id or not job.leased(now)):
        raise ConflictError("the lease has expired and the job went back to the queue; take it again", field="lease_id")
    if lease_id is None and job.started_at is None:
        raise ConflictError("the job has not been taken; take it first", field="status")


def _note(db: peewee.Database, job: _Job, error: str | None, now: datetime) -> None:
    started = job.started_at or now
    number = attempt_numbers(db, [job.id]).get(job.id, 0) + 1
    duration = round((now - started).total_seconds() * 1000)
    text = "INSERT INTO attempts (delivery_id, number, started_at, duration_ms, error) VALUES (?, ?, ?, ?, ?)"
    run(db, text, (job.id, number, time_text(started), duration, optional(error)))


def _settle(db: peewee.Database, job: _Job, status: str, *, result: Any, error: str | None, now: datetime) -> None:
    moment = time_text(now)
    run(
        db,
        "UPDATE deliveries SET status = ?, settled = TRUE, attempt_count = attempt_count + 1, result = ?, error = ?, "
        "next_retry_at = NULL, lease_until = NULL, delivered_at = ?, updated_at = ? WHERE id = ?",
        (
            status,
            None if result is None else json_text(result),
            optional(error),
            moment if status == "delivered" else None,
            moment,
            job.id,
        ),
    )


def _requeue(
    db: peewee.Database, job: _Job, error: str | None, due: datetime | None, now: datetime, *, spent: int
) -> None:
    run(
        db,
        "UPDATE deliveries SET status = 'pending', lease_id = NULL, lease_until = NULL, "
        "attempt_count = attempt_count + ?, error = ?, next_retry_at = ?, updated_at = ? WHERE id = ?",
        (spent, optional(error), None if due is None else time_text(due), time_text(now), job.id),
    )


def _more(db: peewee.Database, key: str) -> bool:
    return bool(rows(db, "SELECT 1 FROM deliveries WHERE key = ? AND settled = FALSE LIMIT 1", (key,)))


def _find(db: peewee.Database, job_id: str, client_id: int | None) -> _Job:
    for column in ("id", "event_id"):
        params: list[Any] = [job_id]
        text = f"{_JOB}{column} = ?"
        if client_id is not None:
            text += " AND client_id = ?"
            params.append(client_id)
        if found := rows(db, text + " ORDER BY id LIMIT 1" + for_update(db, lock=True), params):
            id_, key, status, settled, attempts, most, lease_id, until, started, client = found[0]
            return _Job(
                id_, key, status, bool(settled), attempts, most, lease_id, as_time(until), as_time(started), client
            )
    raise NotFoundError("no such job")
