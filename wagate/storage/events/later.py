"""Deliveries that are stored after their event: one for thousands of receivers lets others' commits come between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import peewee

from wagate.storage.database import apart
from wagate.storage.deliveries.lanes import take_seqs
from wagate.storage.statement import insert_many, placeholders, rows, slices

SLICE = 500
"""Deliveries that one commit stores of those that wait here."""
Row: TypeAlias = Sequence[Any]
"""A row of `INSERT_DELIVERY`, but for its ``seq``."""
INSERT_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, handler, target_id, key, client_id, account, chat, mode, max_retries, "
    "created_at, updated_at, expires_at, seq)"
)
ID, EVENT, HANDLER, TARGET, KEY, CLIENT, _, _, MODE = range(9)


def insert_rows(db: peewee.Database, found: Sequence[Row]) -> list[int]:
    """Pending deliveries, at the end of their lanes; the ``seq`` of each."""
    seqs = take_seqs(db, [row[KEY] for row in found])
    insert_many(db, INSERT_DELIVERY, [(*row, seq) for row, seq in zip(found, seqs, strict=True)])
    return seqs


def lane_of(key: str) -> str:
    """What all keys of one chat have in common, whatever the target."""
    return key.partition("|")[2]


def put_later(db: peewee.Database, found: Sequence[Row]) -> None:
    """Have deliveries of one event stored by `store_later`, behind those that wait already."""
    for part in slices(found, SLICE):
        lane, event_id = lane_of(part[0][KEY]), part[0][EVENT]
        insert_many(db, "INSERT INTO later (event_id, lane, deliveries)", [(event_id, lane, msgspec.json.encode(part))])


def waiting_lanes(db: peewee.Database) -> set[str]:
    """Chats of which deliveries wait; mostly none."""
    return {lane for (lane,) in rows(db, "SELECT DISTINCT lane FROM later")}


def waiting_keys(db: peewee.Database, lanes: Iterable[str]) -> set[str]:
    """Their keys: what comes for one of these must wait as well."""
    keys: set[str] = set()
    for part in slices(sorted(lanes)):
        text = f"SELECT deliveries FROM later WHERE lane IN ({placeholders(len(part))})"  # noqa: S608
        for (packed,) in rows(db, text, part):
            keys.update(row[KEY] for row in msgspec.json.decode(bytes(packed)))
    return keys


@apart
def store_later(db: peewee.Database) -> list[Row]:
    """Store the next slice, of whatever event; nothing: none waits, or another process is at it."""
    text = "DELETE FROM later WHERE number = (SELECT min(number) FROM later) RETURNING deliveries"
    found = [row for (packed,) in rows(db, text) for row in msgspec.json.decode(bytes(packed))]
    insert_rows(db, found)
    return found
