"""Lanes: the open deliveries of one order key (a chat of a target), lowest ``seq`` first; who is at work on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from itertools import count
from typing import Any

import msgspec
import peewee

from wagate.events import Event
from wagate.rules.states import DeliveryState
from wagate.rules.targets import TargetState
from wagate.storage.deliveries.targets import COLUMNS, read_state
from wagate.storage.fields import as_time, from_json, time_text
from wagate.storage.rows import to_event
from wagate.storage.statement import for_update, marks, placeholders, rows, run, slices

EVENT = (
    "id",
    "kind",
    "account",
    "account_id",
    "phone",
    "provider",
    "client_id",
    "chat",
    "sender",
    "recipient",
    "message_id",
    "type",
    "content",
    "from_me",
    "contact_name",
    "reply_to",
    "created_at",
    "timestamp",
    "media",
    "extra",
    "metadata",
)
_STATE_AT = 21
_EVENT_AT = _STATE_AT + len(COLUMNS)


class Head(DeliveryState, frozen=True, kw_only=True):
    """The open delivery that a key's turn belongs to, with all that is needed to try it."""

    key: str
    id: str
    handler: str
    target_id: str
    """``<handler>:<target>``."""
    client_id: int
    mode: str
    """push or pull."""
    status: str
    claimed_by: str | None = None
    """The process that is at work on it, or was …"""
    claimed_until: datetime | None = None
    """… until then."""
    more: bool
    """Others of the key wait as well."""
    active: bool
    """False: the endpoint behind the target is switched off."""
    target: TargetState
    event: Event


class OpenLane(msgspec.Struct, frozen=True):
    """A key with open deliveries."""

    key: str
    id: str
    """Its head."""
    handler: str
    target_id: str
    mode: str
    created_at: datetime
    """When its head was stored."""


def heads(
    db: peewee.Database, keys: Sequence[str], *, skip: bool = False, now: datetime | None = None
) -> dict[str, Head]:
    """The head of each key, in one query; keys without open deliveries are left out.

    ``skip``: a delivery that waits for its next try (after ``now``) lets those behind it pass.
    """
    if not keys:
        return {}
    # Few different texts, so that the prepared ones are found again: a key may be asked for twice.
    padded = [*keys, *[keys[-1]] * (_rounded(len(keys)) - len(keys))]
    params = [*padded, time_text(now)] if skip and now is not None else padded
    found = rows(db, _heads("heads_skip" if skip else "heads", len(padded)), params)
    return {row[0]: _head(row) for row in found}


def open_lanes(db: peewee.Database, after: str, limit: int) -> list[OpenLane]:
    """Up to ``limit`` keys after ``after`` ('' for the first), in the database's order, each with its head."""
    found = rows(db, text("open_lanes"), (after, limit))
    return [OpenLane(key, id_, handler, target, mode, _time(at)) for key, id_, handler, target, mode, at in found]


@cache
def text(name: str) -> str:
    """``queries/<name>.sql``."""
    return (resources.files("wagate.storage.deliveries") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _heads(name: str, count: int) -> str:
    return (
        text(name)
        .replace("{wanted}", marks(1, count))
        .replace("{health}", ", ".join(f"t.{column}" for column in COLUMNS))
        .replace("{event}", ", ".join(f"e.{column}" for column in EVENT) + ", c.slug")
    )


def _rounded(count: int) -> int:
    rounded = 1
    while rounded < count:
        rounded *= 2
    return rounded


def _head(row: Sequence[Any]) -> Head:
    return Head(
        key=row[0],
        id=row[1],
        handler=row[2],
        target_id=row[3],
        client_id=row[4],
        mode=row[5],
        status=row[6],
        attempt_count=row[7],
        max_retries=row[8],
        held=bool(row[9]),
        created_at=_time(row[10]),
        first_attempt_at=as_time(row[11]),
        next_retry_at=as_time(row[12]),
        expires_at=as_time(row[13]),
        earlier=row[14],
        stuck=bool(row[15]),
        claimed_by=row[16],
        claimed_until=as_time(row[17]),
        more=bool(row[18]),
        active=bool(row[19]),
        target=TargetState() if row[20] is None else read_state(row[_STATE_AT:_EVENT_AT]),
        event=_event(row[_EVENT_AT:]),
    )


def _event(values: Sequence[Any]) -> Event:
    named: dict[str, Any] = dict(zip((*EVENT, "tenant"), values, strict=True))
    named["from_me"] = bool(named["from_me"])
    for name in ("created_at", "timestamp"):
        named[name] = as_time(named[name])
    for name in ("media", "extra", "metadata"):
        named[name] = from_json(named[name])
    return to_event(named)


def _time(value: Any) -> datetime:
    moment = as_time(value)
    assert moment is not None  # a NOT NULL column
    return moment


def take_seqs(db: peewee.Database, keys: Sequence[str]) -> list[int]:
    """The next ``seq`` for each entry of ``keys`` (with repeats), rising per key in the order given.

    The lane's row stays locked until the commit, so ``seq`` order is commit order. Keys are taken sorted: two
    processes never wait for each other crosswise.
    """
    wanted = sorted(Counter(keys).items())
    next_seq: dict[str, Iterator[int]] = {}
    for part in slices(wanted):
        text = (
            f"INSERT INTO lanes (key, seq) VALUES {marks(2, len(part))} "  # noqa: S608  (placeholders only)
            "ON CONFLICT (key) DO UPDATE SET seq = lanes.seq + excluded.seq RETURNING key, seq"
        )
        amounts = dict(part)
        for key, last in rows(db, text, [value for pair in part for value in pair]):
            next_seq[key] = count(last - amounts[key] + 1)
    return [next(next_seq[key]) for key in keys]


def claim(db: peewee.Database, ids: Collection[str], holder: str, *, until: datetime, now: datetime) -> set[str]:
    """Claim open deliveries until then; those that are this process's now. The others are settled, or another's."""
    mine: set[str] = set()
    free = "settled = FALSE AND (claimed_by IS NULL OR claimed_by = ? OR claimed_until <= ?)"
    for part in slices(sorted(ids)):
        wanted = f"SELECT id FROM deliveries WHERE id IN ({placeholders(len(part))}) AND {free} ORDER BY id"  # noqa: S608
        found = [id_ for (id_,) in rows(db, wanted + for_update(db, lock=True), [*part, holder, time_text(now)])]
        if found:
            text = f"UPDATE deliveries SET claimed_by = ?, claimed_until = ? WHERE id IN ({placeholders(len(found))})"  # noqa: S608
            run(db, text, [holder, time_text(until), *found])
        mine.update(found)
    return mine


def unclaim(db: peewee.Database, holder: str | None = None) -> int:
    """A process ended (None: all did): what it was at work on is free. How many deliveries."""
    whose = "claimed_by = ?" if holder else "claimed_by IS NOT NULL"
    text = f"UPDATE deliveries SET claimed_by = NULL WHERE settled = FALSE AND {whose}"  # noqa: S608
    return run(db, text, (holder,) if holder else ())


def put_back(db: peewee.Database, delivery_id: str, holder: str) -> None:
    """It was not tried after all."""
    text = "UPDATE deliveries SET claimed_by = NULL WHERE id = ? AND claimed_by = ?"
    run(db, text, (delivery_id, holder))
