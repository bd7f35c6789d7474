"""How far a message got, written down: by compare-and-set on its status, so that nothing goes backwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee

from wagate.parsing.message_ids import bare_id
from wagate.storage.database import bulk
from wagate.storage.events.intake import Intake, Stored, store
from wagate.storage.fields import as_time, clean, optional, time_text
from wagate.storage.models import Message
from wagate.storage.outbox.acks import UNFINISHED, fold_early_acks, lock_bare_id
from wagate.storage.outbox.messages import MessageRow
from wagate.storage.statement import for_update, placeholders, rows, run, slices
from wagate.storage.threads.contacts import note_taken

LEFT_BEHIND = timedelta(minutes=3)
"""No handler works for so long: a message that is ``sending`` since then was left by a process that ended."""
NO_DELIVERY = "its delivery no longer exists"
LOST = "sending was interrupted; it is unknown whether the message arrived"

_SENDING = (
    "UPDATE messages SET status = 'sending', account = ?, account_id = ?, provider = ?, attempts = attempts + 1, "
    "sending_at = ?, updated_at = ? WHERE id = ? AND status = ? "
    "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = delivery_id AND d.status = 'cancelled')"
)
_SENT = (
    "UPDATE messages SET status = ?, account = ?, account_id = ?, provider = ?, provider_id = ?, bare_id = ?, "
    "sent_at = COALESCE(sent_at, ?), told = ?, error = ?, error_code = ?, updated_at = ? WHERE id = ?"
)
GIVEN_UP = "given up: "
"""How the error of a message begins that no provider refused."""
_GIVEN_UP = (
    "SELECT m.id, m.status, d.status, d.error, d.updated_at FROM messages m LEFT JOIN deliveries d "
    "ON d.id = m.delivery_id WHERE m.status IN ('queued', 'sending') AND (d.id IS NULL OR d.settled = TRUE) LIMIT ?"
)


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """A message is handed to a provider now."""

    id: str
    status: str
    """As it was: queued, or sending when an idempotent provider gets it once more."""
    account: str
    account_id: str
    provider: str
    now: datetime


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """A provider took a message."""

    id: str
    account: str
    account_id: str
    provider: str
    provider_id: str
    """'' when it has none."""
    intake: Intake
    """The event that tells connectors, in the same commit."""
    now: datetime


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A message was not sent, or nobody knows."""

    id: str
    status: str
    """queued (again later), failed (never), unknown, or sending (again, by an idempotent provider)."""
    error: str
    code: str
    now: datetime
    window: bool = False
    """Whether it came outside the 24 h window."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What connectors are told of a message."""

    id: str
    failed: bool
    """Whether it is told that it failed; else that it was sent."""
    intake: Intake


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose delivery is over, and that was not sent."""

    id: str
    status: str
    """queued or sending."""
    error: str


@bulk
def begin_sending(db: peewee.Database, items: list[Began]) -> list[bool]:
    """Show messages as being sent; whether each was still what its item says."""
    return [_began(db, item) for item in items]


@bulk
def write_sent(db: peewee.Database, items: list[Took]) -> list[Stored | None]:
    """Write down what providers took, and the event that tells it; None where connectors know already.

    What was reported of a message before this commit is folded in.
    """
    telling = [item for item in items if _took(db, item)]
    stored = dict(zip([item.id for item in telling], store(db, [item.intake for item in telling]), strict=True))
    for item in items:
        if item.provider_id:
            fold_early_acks(db, item.id, item.account_id, bare_id(item.provider_id))
            note_taken(
                db,
                item.id,
                account_id=item.account_id,
                provider_id=item.provider_id,
                client_id=item.intake.event.client_id,
                now=item.now,
            )
    return [stored.get(item.id) for item in items]


def write_ended(db: peewee.Database, ended: Ended) -> bool:
    """Write down why a message was not sent; whether it was still being sent (or, to fail, still queued)."""
    before = ("queued", "sending") if ended.status == "failed" else ("sending",)
    failed = "failed_at = ?, " if ended.status == "failed" else ""
    now = time_text(ended.now)
    text = (
        f"UPDATE messages SET status = ?, error = ?, error_code = ?, outside_window = ?, {failed}updated_at = ? "  # noqa: S608  (our words)
        f"WHERE id = ? AND status IN ({placeholders(len(before))})"
    )
    why = [clean(ended.error), optional(ended.code or None), ended.window]
    values = [ended.status, *why, *([now] if failed else []), now, ended.id]
    return run(db, text, [*values, *before]) > 0


def given_up(db: peewee.Database, now: datetime, most: int) -> list[GivenUp]:
    """Messages that nobody will send: their deliveries were cancelled, or failed permanently, or are gone."""
    found = []
    for id_, status, became, error, at in rows(db, _GIVEN_UP, (most,)):
        moment = as_time(at)
        if status == "queued" or moment is None or moment < now - LEFT_BEHIND:
            found.append(GivenUp(id=id_, status=status, error=_reason(status, became, error)))
    return found


def unreported(db: peewee.Database, now: datetime, most: int) -> list[MessageRow]:
    """Messages that failed or were sent, and whose connectors don't know it yet; oldest first."""
    # In the words of the partial index. One without an id of the provider may get it at this moment.
    text = (
        "SELECT id FROM messages WHERE status IN ('sent', 'delivered', 'read', 'failed') AND told = FALSE "
        "AND (status = 'failed' OR provider_id <> '' OR updated_at < ?) ORDER BY id LIMIT ?"
    )
    ids = [id_ for (id_,) in rows(db, text, (time_text(now - LEFT_BEHIND), most))]
    query = Message.select().where(Message.id.in_(ids)).order_by(Message.id)
    return [MessageRow(**row) for row in query.dicts().execute(db)]


def store_reports(db: peewee.Database, items: Sequence[Report]) -> list[Stored]:
    """Store the events of those that are still untold; what was stored."""
    return store(db, [item.intake for item in items if _reported(db, item)])


def mark_reported(db: peewee.Database, ids: Sequence[str]) -> None:
    """Note that there is nobody left to tell."""
    Message.update(told=True).where(Message.id.in_(ids)).execute(db)


def in_doubt(db: peewee.Database, delivery_ids: Sequence[str]) -> set[str]:
    """Those of these deliveries whose messages may have been sent: nobody knows."""
    found: set[str] = set()
    for part in slices(sorted(delivery_ids)):
        text = (
            f"SELECT delivery_id FROM messages WHERE delivery_id IN ({placeholders(len(part))}) AND status = 'unknown'"  # noqa: S608
        )
        found |= {id_ for (id_,) in rows(db, text, part)}
    return found


def reopen(db: peewee.Database, delivery_ids: Sequence[str], now: datetime) -> None:
    """Queue failed messages again whose deliveries are run again by hand. What is unknown stays so."""
    for part in slices(sorted(delivery_ids)):
        text = (
            "UPDATE messages SET status = 'queued', failed_at = NULL, told = FALSE, updated_at = ? "  # noqa: S608  (placeholders)
            f"WHERE delivery_id IN ({placeholders(len(part))}) AND status = 'failed'"
        )
        run(db, text, (time_text(now), *part))


def _began(db: peewee.Database, item: Began) -> bool:
    now = time_text(item.now)
    return run(db, _SENDING, (clean(item.account), item.account_id, item.provider, now, now, item.id, item.status)) > 0


def _took(db: peewee.Database, item: Took) -> bool:
    """Write one; whether its event is to be stored."""
    provider_id, now = clean(item.provider_id), time_text(item.now)
    if provider_id:
        lock_bare_id(db, item.account_id, bare_id(provider_id))
    text = "SELECT status, told, provider_id, error, error_code FROM messages WHERE id = ?"
    for status, told, known, error, code in rows(db, text + for_update(db, lock=True), (item.id,)):
        failed = status == "failed"
        became = "sent" if status in UNFINISHED else status
        why = (error, code) if failed else (None, None)
        taken = provider_id or known
        sender = (clean(item.account), item.account_id, item.provider, taken, bare_id(taken))
        run(db, _SENT, (became, *sender, now, bool(told) or not failed, *why, now, item.id))
        return not told and not failed
    return False


def _reported(db: peewee.Database, item: Report) -> bool:
    compared = "=" if item.failed else "<>"
    text = f"UPDATE messages SET told = TRUE WHERE id = ? AND told = FALSE AND status {compared} 'failed'"  # noqa: S608
    return run(db, text, (item.id,)) > 0


def _reason(status: str, became: str | None, error: Any) -> str:
    if status == "sending":
        return LOST
    return f"{GIVEN_UP}{NO_DELIVERY if became is None else str(error or became)}"
