"""What is old goes, in slices: every slice is a call of its own, so that nobody waits long for the writer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.storage.database import Database
from wagate.storage.fields import as_time, time_text
from wagate.storage.models import Dedupe, Delivery, EventRow, IdempotencyKey, Lane, Later, Media, Message
from wagate.storage.outbox.new_chats import delete_new_chats
from wagate.storage.refusals import delete_strangers
from wagate.storage.statement import rows, run
from wagate.storage.threads.conversations import delete_contacts, delete_threads
from wagate.storage.threads.labels import delete_labeled

SLICE = 500
DEDUPE_AT_LEAST = timedelta(days=7)
"""As long as providers send again what they got no 2xx for."""


_WAITS = "FROM deliveries d WHERE d.event_id = {} AND CASE WHEN d.settled THEN 0 ELSE 1 END = 1"
"""In words that no index of what is open has: PostgreSQL would look through all of it for each file."""
_OLD_FILES = (
    f"SELECT m.id, m.created_at, EXISTS (SELECT 1 {_WAITS.format('m.id')}) OR EXISTS (SELECT 1 FROM media_uses u "  # noqa: S608
    f"WHERE u.media_id = m.id AND EXISTS (SELECT 1 {_WAITS.format('u.event_id')})) FROM media m "
    "WHERE m.created_at < ? AND m.status <> 'gone' AND (m.created_at, m.id) > (?, ?) "
    "ORDER BY m.created_at, m.id LIMIT ?"
)


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is kept."""

    events: timedelta = timedelta(days=30)
    """Events whose deliveries are all over; messages that were sent, and those of which nobody knows."""
    failed: timedelta = timedelta(days=90)
    """Events with a failed delivery; messages that failed; who did what, and acts on many deliveries that are over."""
    media: timedelta = timedelta(days=30)
    """Files that came in or were sent."""
    dedupe: timedelta = DEDUPE_AT_LEAST
    """Keys of duplicates; never less than 7 days."""
    idempotency: timedelta = timedelta(hours=24)


async def sweep(database: Database, ages: Ages, *, now: datetime) -> dict[str, int]:
    """Delete all that is over its age; table → rows. StorageError: what was not deleted stays for the next time."""
    dedupe = now - max(ages.dedupe, DEDUPE_AT_LEAST)
    return {
        "messages": await _all(database, delete_messages, now - ages.events, now - ages.failed),
        "events": await _all(database, delete_events, now - ages.events, now - ages.failed),
        "media": await _forget_files(database, now - ages.media),
        "media_rows": await _all(database, delete_media, now - ages.media - max(ages.events, ages.failed)),
        "chats": await _all(database, delete_threads, now - ages.events, now - max(ages.events, ages.failed)),
        "contacts": await _all(database, delete_contacts, now - ages.events),
        "new_chats": await _all(database, delete_new_chats, now - ages.events),
        "labeled_chats": await _all(database, delete_labeled, now - ages.events),
        "unknown_numbers": await _all(database, delete_strangers, now - ages.events),
        "dedupe": await _all(database, delete_dedupe, dedupe),
        "idempotency": await _all(database, delete_idempotency, now - ages.idempotency),
        "lanes": await _all(database, delete_lanes),
        "audit": await _all(database, delete_acts, now - ages.failed),
        "bulk_refused": await _all(database, delete_bulk_refused, now - ages.failed),
        "bulk_acts": await _all(database, delete_bulk_acts, now - ages.failed),
        "holders": await database.write(delete_holders, now),
    }


async def _all(database: Database, delete: Callable[..., int], *args: datetime) -> int:
    total = 0
    while deleted := await database.write(delete, *args):
        total += deleted
    return total


async def _forget_files(database: Database, before: datetime) -> int:
    total, part = 0, Files()
    while part.last is not None:
        part = await database.write(forget_media, before, part)
        total += part.gone
    return total


def delete_events(db: peewee.Database, before: datetime, failed_before: datetime, most: int = SLICE) -> int:
    """Delete old events with their deliveries and attempts; how many.

    Those that still wait for a delivery stay, and those with a failed one until ``failed_before``.
    """
    # In words that no index of what is open or failed has: PostgreSQL would look through all of it for each event.
    failed_stays = (Delivery.status.concat("") == "failed") & (EventRow.created_at >= failed_before)
    is_open = peewee.Case(None, [(Delivery.settled, 0)], 1) == 1
    stays = Delivery.select(Delivery.id).where(Delivery.event_id == EventRow.id, is_open | failed_stays)
    later = Later.select(Later.number).where(Later.event_id == EventRow.id)
    stays_not = ~peewee.fn.EXISTS(stays) & ~peewee.fn.EXISTS(later)
    old = (EventRow.created_at < before) & (EventRow.unrouted == False) & stays_not  # noqa: E712
    return _delete(db, EventRow, EventRow.id, EventRow.select(EventRow.id).where(old).limit(most))


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of old files."""

    gone: int = 0
    """How many were marked so."""
    last: tuple[datetime, str] | None = (datetime(1970, 1, 1, tzinfo=UTC), "")
    """Time and id of the last one; None: no further slice follows."""


def forget_media(db: peewee.Database, before: datetime, after: Files = Files(), most: int = SLICE) -> Files:  # noqa: B008
    """Mark old files as gone, but none that an open delivery needs, or a message to send.

    Their bytes go when no other row has them (`wagate.media.assemble`).
    """
    assert after.last is not None
    at, id_ = after.last
    found = rows(db, _OLD_FILES, (time_text(before), time_text(at), id_, most))
    ids = [each for each, _, needed in found if not needed]
    gone = int(Media.update(status="gone", next_at=None).where(Media.id.in_(ids)).execute(db)) if ids else 0
    last = None if len(found) < most else (as_time(found[-1][1]) or at, str(found[-1][0]))
    return Files(gone=gone, last=last)


def delete_media(db: peewee.Database, before: datetime, most: int = SLICE) -> int:
    """Forget files that are gone, once nothing that links to them is kept; how many."""
    old = Media.select(Media.id).where(Media.created_at < before, Media.status == "gone").limit(most)
    return _delete(db, Media, Media.id, old)


def delete_messages(db: peewee.Database, before: datetime, failed_before: datetime, most: int = SLICE) -> int:
    """Delete old messages; how many. Those that wait stay, and those that failed until ``failed_before``."""
    failed_stays = (Message.status == "failed") & (Message.created_at >= failed_before)
    stays = Message.status.in_(("queued", "sending")) | failed_stays
    old = Message.select(Message.id).where(Message.created_at < before, ~stays).limit(most)
    return _delete(db, Message, Message.id, old)


def delete_dedupe(db: peewee.Database, before: datetime, most: int = SLICE) -> int:
    """Forget old duplicates' keys; how many."""
    return _delete(db, Dedupe, Dedupe.key, Dedupe.select(Dedupe.key).where(Dedupe.created_at < before).limit(most))


def delete_idempotency(db: peewee.Database, before: datetime, most: int = SLICE) -> int:
    """Forget old answers; how many."""
    table = IdempotencyKey
    old = list(table.select(table.client, table.key).where(table.created_at < before).limit(most).tuples().execute(db))
    for client, key in old:
        table.delete().where(table.client == client, table.key == key, table.created_at < before).execute(db)
    return len(old)


def delete_lanes(db: peewee.Database, most: int = SLICE) -> int:
    """Forget the counters of chats where nothing waits; how many. A new delivery begins at 1 again."""
    idle = ~peewee.fn.EXISTS(
        Delivery.select(Delivery.id).where(Delivery.key == Lane.key, Delivery.settled == False)  # noqa: E712
    )
    query = Lane.select(Lane.key).where(idle).order_by(Lane.key).limit(most)
    if db.for_update:
        # The row's lock keeps out a new delivery of the chat; one committed before is seen by the next statement.
        query = query.for_update(skip_locked=True)
    keys = [row[0] for row in query.tuples().execute(db)]
    return int(Lane.delete().where(Lane.key.in_(keys), idle).execute(db)) if keys else 0


def delete_acts(db: peewee.Database, before: datetime, most: int = SLICE) -> int:
    """Forget who did what; how many."""
    oldest = rows(db, "SELECT created_at FROM audit ORDER BY id LIMIT 1")
    if not oldest or (at := as_time(oldest[0][0])) is None or at >= before:
        return 0  # no index tells more, and none is needed: ids rise with time
    text = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE created_at < ? ORDER BY id LIMIT ?)"
    return run(db, text, (time_text(before), most))


def delete_bulk_refused(db: peewee.Database, before: datetime, most: int = SLICE) -> int:
    """Forget what acts on many deliveries that are over were refused for; how many."""
    old = (
        "SELECT r.bulk_id, r.delivery_id FROM bulk AS b JOIN bulk_refused AS r ON r.bulk_id = b.id "
        "WHERE b.state <> 'running' AND b.updated_at < ? LIMIT ?"
    )
    return run(db, f"DELETE FROM bulk_refused WHERE (bulk_id, delivery_id) IN ({old})", (time_text(before), most))  # noqa: S608


def delete_bulk_acts(db: peewee.Database, before: datetime, most: int = SLICE) -> int:
    """Forget acts on many deliveries that are over; how many."""
    old = "SELECT id FROM bulk WHERE state <> 'running' AND updated_at < ? ORDER BY id LIMIT ?"
    return run(db, f"DELETE FROM bulk WHERE id IN ({old})", (time_text(before), most))  # noqa: S608


def delete_holders(db: peewee.Database, now: datetime) -> int:
    """Forget which process listened for accounts that are deleted; how many."""
    text = "DELETE FROM holders WHERE until < ? AND account_id NOT IN (SELECT id FROM accounts)"
    return run(db, text, (time_text(now),))


def _delete(db: peewee.Database, table: Any, column: Any, query: Any) -> int:
    keys = [row[0] for row in query.tuples().execute(db)]
    return int(table.delete().where(column.in_(keys)).execute(db)) if keys else 0
