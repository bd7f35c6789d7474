"""Idempotency keys: the same request again gets the same answer, for 24 hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.storage.clock_marks import believed
from wagate.storage.database import apart
from wagate.storage.models import IdempotencyKey as Key
from wagate.storage.statement import first

LIFE = timedelta(hours=24)
STALE = timedelta(seconds=60)
"""A request whose claim was not renewed for so long died with its process."""


class Begun(msgspec.Struct, frozen=True):
    """Nobody has used the key: do the work, then `finish` or `forget`."""


class Replay(msgspec.Struct, frozen=True):
    """It was done: answer this."""

    status: int
    content_type: str
    body: bytes


class Mismatch(msgspec.Struct, frozen=True):
    """The key was used with another body."""


class InFlight(msgspec.Struct, frozen=True):
    """Its twin is being worked on."""


def begin(
    db: peewee.Database, *, client: str, key: str, body_hash: str, now: datetime
) -> Begun | Replay | Mismatch | InFlight:
    """Take the key, or say what became of it. ``client`` says whose key it is."""
    mine = (Key.client == client) & (Key.key == key)
    take = Key.insert(client=client, key=key, body_hash=body_hash, created_at=now, done=False).on_conflict_ignore()
    if take.as_rowcount().execute(db):
        return Begun()
    row = first(db, Key.select().where(mine))
    if row is not None and _is_over(db, row, now):
        as_seen = (Key.created_at == row["created_at"]) & (Key.done == row["done"])
        Key.delete().where(mine, as_seen).execute(db)
        if take.as_rowcount().execute(db):
            return Begun()
        row = first(db, Key.select().where(mine))
    if row is None:
        # Its twin let go of it between the two statements.
        return InFlight()
    if row["body_hash"] != body_hash:
        return Mismatch()
    return Replay(row["status"], row["content_type"], bytes(row["body"])) if row["done"] else InFlight()


def _is_over(db: peewee.Database, row: Mapping[str, Any], now: datetime) -> bool:
    """Whether its request died, or its answer was kept for long enough."""
    if not row["done"]:
        return bool(row["created_at"] < now - STALE)
    return bool(row["created_at"] < now - LIFE and row["created_at"] < believed(db, now) - LIFE)


@apart
def renew(db: peewee.Database, *, client: str, key: str, now: datetime) -> None:
    """The request with this key is still being worked on."""
    mine = (Key.client == client) & (Key.key == key)
    Key.update(created_at=now).where(mine, Key.done == False).execute(db)  # noqa: E712


def finish(db: peewee.Database, *, client: str, key: str, status: int, content_type: str, body: bytes) -> None:
    """Keep the answer."""
    change = Key.update(done=True, status=status, content_type=content_type, body=body)
    change.where(Key.client == client, Key.key == key).execute(db)


def forget(db: peewee.Database, *, client: str, key: str) -> None:
    """Let go of a key whose request did not succeed; an answer that was kept stays."""
    Key.delete().where(Key.client == client, Key.key == key, Key.done == False).execute(db)  # noqa: E712


def forget_running(db: peewee.Database) -> int:
    """Let go of all keys whose requests did not end; only for who is alone with the database. How many."""
    return int(Key.delete().where(Key.done == False).execute(db))  # noqa: E712
