"""What was delivered, tried and came in, by minute for a week and by hour for 90 days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import peewee

from wagate.storage.database import apart
from wagate.storage.deliveries.survey import SENDING
from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import first_id, lock, placeholders, rows, run, run_many

MINUTE: Final = 60
HOUR: Final = 3600
KEPT: Final[Mapping[int, timedelta]] = {MINUTE: timedelta(days=7), HOUR: timedelta(days=90)}
"""Seconds of a bucket → how long it is kept."""
LAGS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
"""Upper ends of the lag's buckets, seconds from storing to the receiver's yes; the eighth has none."""
INCOMING: Final = "in:"
"""Before an account's id: what came in through it."""
EVERYONE: Final = "all:"
"""Before a client's id: its receivers together; alone, of all clients. Behind `INCOMING`, what came in."""
RESERVED: Final = frozenset(each.removesuffix(":") for each in (INCOMING, EVERYONE))
"""No connector may be called so: its receivers' figures would be among those of numbers, or of all together."""
_LAG_COLUMNS = tuple(f"lag{number}" for number in range(len(LAGS) + 1))
_COLUMNS = ("subject", "step", "at", "client_id", "done", "failed", *_LAG_COLUMNS)
_SUMS = ("''", "0", "at", "0", *(f"SUM({name})" for name in _COLUMNS[4:]))
_ADD = (
    f"INSERT INTO minutes ({', '.join(_COLUMNS)}) VALUES ({placeholders(len(_COLUMNS))}) "  # noqa: S608  (our own words)
    "ON CONFLICT (subject, step, at) DO UPDATE SET "
    + ", ".join(f"{name} = minutes.{name} + excluded.{name}" for name in _COLUMNS[4:])
)
_SET = (
    f"INSERT INTO minutes ({', '.join(_COLUMNS)}) VALUES ({placeholders(len(_COLUMNS))}) "  # noqa: S608  (likewise)
    "ON CONFLICT (subject, step, at) DO UPDATE SET done = excluded.done"
)
_SENT = "UPDATE accounts SET last_out_at = ? WHERE id = ? AND COALESCE(last_out_at < ?, TRUE)"


class Bucket(msgspec.Struct, kw_only=True):
    """One subject's figures of one minute or hour."""

    subject: str
    """A target's id, or `INCOMING` and an account's id."""
    at: datetime
    """Its beginning."""
    client_id: int
    done: int = 0
    """Delivered; of what comes in, messages."""
    failed: int = 0
    """Tries that failed."""
    lags: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LAGS) + 1))
    """Deliveries by their lag (`LAGS`)."""


def start_of(moment: datetime, step: int) -> datetime:
    """The beginning of the bucket that a moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // step * step, UTC)


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's receivers and numbers did together."""

    came_in: int = 0
    """Messages."""
    done: int = 0
    """Deliveries that a receiver accepted."""
    lag: float | None = None
    """Seconds within which 95 of 100 of them were delivered (`quantile`)."""


def add_buckets(db: peewee.Database, found: Sequence[Bucket], sent: Mapping[str, datetime] | None = None) -> None:
    """Add to what is there: every process has its own part. ``sent``: when accounts (by id) last sent something."""
    every = [*found, *_together(each for each in found if not each.subject.startswith(SENDING))]
    for step in (MINUTE, HOUR):
        run_many(db, _ADD, [_values(each, step) for each in every])
    latest = [(time_text(at), account, time_text(at)) for account, at in sorted((sent or {}).items())]
    run_many(db, _SENT, latest)


@apart
def count_incoming(db: peewee.Database, begin: datetime, end: datetime) -> None:
    """Count the messages that came in between, a minute at most; done twice, it comes to the same."""
    # Another process that reads this minute before our commit would add it to its hour once more.
    lock(db, "incoming")
    text = (
        "SELECT account_id, client_id, COUNT(*), MAX(created_at) FROM events WHERE id >= ? AND id < ? "
        "AND kind = 'message' AND from_me = FALSE AND account_id <> '' GROUP BY account_id, client_id"
    )
    found = rows(db, text, (first_id(begin), first_id(end)))
    made = [Bucket(subject=INCOMING + row[0], at=begin, client_id=row[1], done=int(row[2])) for row in found]
    for each in (*made, *_together(made, INCOMING)):
        _set_incoming(db, each)
    for account, _, _, latest in found:
        moment = as_time(latest)
        if moment is not None:
            run(db, "UPDATE accounts SET last_in_at = ? WHERE id = ?", (time_text(moment), account))


def _set_incoming(db: peewee.Database, made: Bucket) -> None:
    text = "SELECT done FROM minutes WHERE subject = ? AND step = ? AND at = ?"
    before = rows(db, text, _key(made.subject, MINUTE, made.at))
    run(db, _SET, _values(made, MINUTE))
    made.done -= before[0][0] if before else 0
    run(db, _ADD, _values(made, HOUR))


def _together(found: Iterable[Bucket], before: str = "") -> list[Bucket]:
    """One for each client and minute, and one for all clients: nobody has to add up ten thousand receivers."""
    sums: dict[tuple[str, datetime], Bucket] = {}
    for each in found:
        for subject, client_id in ((f"{before}{EVERYONE}{each.client_id}", each.client_id), (before + EVERYONE, 0)):
            total = sums.setdefault((subject, each.at), Bucket(subject=subject, at=each.at, client_id=client_id))
            total.done += each.done
            total.failed += each.failed
            total.lags = [one + other for one, other in zip(total.lags, each.lags, strict=True)]
    return list(sums.values())


def lately(db: peewee.Database, clients: Iterable[int | None], *, since: datetime) -> dict[int | None, Lately]:
    """What these clients did since then, by the minute; None: all together."""
    names = {client: EVERYONE + ("" if client is None else str(client)) for client in clients}
    subjects = sorted({*names.values(), *(INCOMING + each for each in names.values())})
    columns = ", ".join(f"SUM({name})" for name in ("done", *_LAG_COLUMNS))
    text = (
        f"SELECT subject, {columns} FROM minutes WHERE subject IN ({placeholders(len(subjects))}) "  # noqa: S608  (ours)
        "AND step = ? AND at >= ? GROUP BY subject"
    )
    moment = time_text(start_of(since, MINUTE))
    found = {subject: [int(each) for each in sums] for subject, *sums in rows(db, text, [*subjects, MINUTE, moment])}
    nothing = [0] * (len(_LAG_COLUMNS) + 1)
    return {
        client: Lately(
            came_in=found.get(INCOMING + name, nothing)[0],
            done=found.get(name, nothing)[0],
            lag=quantile(found.get(name, nothing)[1:], 0.95),
        )
        for client, name in names.items()
    }


def read_buckets(
    db: peewee.Database,
    subjects: Iterable[str] | None,
    *,
    step: int,
    since: datetime,
    client_id: int | None = None,
) -> list[Bucket]:
    """Buckets from ``since`` on, by time; ``subjects`` None: of all targets together, each time once.

    Those are added up by the database: a client may have a thousand targets, and a week ten thousand minutes.
    """
    where, params = ["step = ?", "at >= ?"], [step, time_text(start_of(since, step))]
    if client_id is not None:
        where.append("client_id = ?")
        params.append(client_id)
    if subjects is not None:
        wanted = sorted({clean(each) for each in subjects})
        where.append(f"subject IN ({placeholders(len(wanted))})")
        params += wanted
        text = f"SELECT {', '.join(_COLUMNS)} FROM minutes WHERE {' AND '.join(where)} ORDER BY at, subject"  # noqa: S608
    else:
        where += [f"SUBSTR(subject, 1, {len(each)}) <> '{each}'" for each in (INCOMING, EVERYONE)]
        text = f"SELECT {', '.join(_SUMS)} FROM minutes WHERE {' AND '.join(where)} GROUP BY at ORDER BY at"  # noqa: S608
    found = []
    for subject, _, at, client, done, failed, *lags in rows(db, text, params):
        moment = as_time(at)
        assert moment is not None
        found.append(
            Bucket(
                subject=subject,
                at=moment,
                client_id=client,
                done=int(done),
                failed=int(failed),
                lags=[int(each) for each in lags],
            )
        )
    return found


def drop_buckets(db: peewee.Database, now: datetime) -> int:
    """Delete those that are over their age; how many."""
    text = "DELETE FROM minutes WHERE step = ? AND at < ?"
    return sum(run(db, text, (step, time_text(now - kept))) for step, kept in KEPT.items())


def quantile(lags: Sequence[int], part: float) -> float | None:
    """The lag within which ``part`` of the deliveries were done: the upper end of its bucket. None: there are none."""
    wanted, seen = sum(lags) * part, 0
    for number, count in enumerate(lags):
        seen += count
        if count and seen >= wanted:
            return LAGS[number] if number < len(LAGS) else float("inf")
    return None


def _values(bucket: Bucket, step: int) -> list[object]:
    return [
        bucket.subject,
        step,
        time_text(start_of(bucket.at, step)),
        bucket.client_id,
        bucket.done,
        bucket.failed,
        *bucket.lags,
    ]


def _key(subject: str, step: int, at: datetime) -> list[object]:
    return [subject, step, time_text(start_of(at, step))]
