"""Statuses that a provider reports, folded into the messages that they are about: forwards only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import peewee

from wagate.events import Event
from wagate.events.acks import DELIVERED, FAILED, PLAYED, READ, SENT
from wagate.events.kinds import MESSAGE_ACK, MESSAGE_ANY
from wagate.storage.fields import as_time, clean, from_json, optional, time_text
from wagate.storage.statement import placeholders, rows, run

UNFINISHED = ("queued", "sending", "unknown")
"""Statuses of messages of which nothing says that they left; a report of the provider does."""
FROM = {
    SENT: (*UNFINISHED,),
    DELIVERED: (*UNFINISHED, "sent", "failed"),
    READ: (*UNFINISHED, "sent", "delivered", "failed"),
    FAILED: ("sending", "unknown", "sent"),
}
"""Status → those that it may follow. A failure is final, unless the message shows up at the phone after all."""
_REACHED = {
    SENT: "sent_at = COALESCE(sent_at, ?)",
    DELIVERED: "sent_at = COALESCE(sent_at, ?), delivered_at = ?",
    READ: "sent_at = COALESCE(sent_at, ?), read_at = ?",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of a message."""

    extra: dict[str, Any]
    """As `wagate.events.acks.ack_extra` makes it."""
    when: str
    """When it happened, by the provider; as text."""
    now: str
    """When we learned it."""

    @property
    def status(self) -> str:
        """The word; played is read."""
        said = self.extra.get("status")
        return READ if said == PLAYED else str(said)

    @property
    def error(self) -> tuple[str | None, str | None, bool]:
        """Why it failed, the provider's code, and whether it came outside the 24 h window."""
        said = self.extra.get("error")
        error = said if isinstance(said, dict) else {}
        code = str(error.get("code") or "")
        reason = optional(str(error.get("reason") or "the provider could not deliver it"))
        return reason, optional(code or None), error.get("window") is True


def fold_acks(db: peewee.Database, items: Iterable[tuple[Event, str]]) -> None:
    """Fold events into the messages they are about; items are (event, reference), all but statuses are passed by.

    A status is about the message whose id is the reference, else about the account's one with the event's message id.
    """
    for event, reference in items:
        if event.kind == MESSAGE_ACK or (event.kind == MESSAGE_ANY and reference):
            _fold(db, event, reference)


def fold_early_acks(db: peewee.Database, message_id: str, account_id: str, provider_id: str) -> None:
    """Fold what was reported before the provider's id was known; call it after that id was written, in its commit."""
    text = (
        "SELECT extra, timestamp, created_at FROM events WHERE account_id = ? AND message_id = ? AND kind = ? "
        "ORDER BY id"
    )
    for extra, *times in rows(db, text, (account_id, clean(provider_id), MESSAGE_ACK)):
        when, now = (time_text(moment) for moment in map(as_time, times) if moment is not None)
        _write(db, Report(extra=from_json(extra), when=when, now=now), "id = ?", [message_id])


def lock_provider_id(db: peewee.Database, account_id: str, provider_id: str) -> None:
    """Keep out, until the commit, who else writes about this id of the provider.

    Without it, a status and the message's own "sent", committed by two processes at once, would not see each other.
    """
    if db.param != "?":
        rows(db, "SELECT pg_advisory_xact_lock(hashtextextended(?, 20250120))", (f"{account_id}\x1f{provider_id}",))


def _fold(db: peewee.Database, event: Event, reference: str) -> None:
    said = {"status": SENT} if event.kind == MESSAGE_ANY else event.extra
    report = Report(extra=said, when=time_text(event.timestamp), now=time_text(event.created_at))
    provider_id = clean(event.message_id)
    if provider_id:
        lock_provider_id(db, event.account_id, provider_id)
    if reference:
        ours = [clean(reference), event.client_id]
        changed = _write(db, report, "id = ? AND client_id = ?", ours)
        if provider_id:
            text = "UPDATE messages SET provider_id = ? WHERE id = ? AND client_id = ? AND provider_id = ''"
            run(db, text, [provider_id, *ours])
        if changed:
            return
    if provider_id and event.account_id:
        # In the words of the partial index: without them SQLite goes through all messages.
        ours = [event.account_id, event.client_id, provider_id]
        _write(db, report, "account_id = ? AND client_id = ? AND provider_id = ? AND provider_id <> ''", ours)


def _write(db: peewee.Database, report: Report, about: str, params: list[Any]) -> bool:
    """Whether a message had a status that this one may follow."""
    status = report.status
    before = FROM.get(status)
    if before is None:
        return False
    if status == FAILED:
        # Connectors are told of a failure also when they know that it was sent.
        change = "failed_at = ?, error = ?, error_code = ?, outside_window = ?, told = FALSE"
        values = [report.when, *report.error]
    else:
        change = f"{_REACHED[status]}, failed_at = NULL, error = NULL, error_code = NULL, outside_window = FALSE"
        values = [report.when] * change.count("?")
    text = (
        f"UPDATE messages SET status = ?, updated_at = ?, {change} "  # noqa: S608  (our own words)
        f"WHERE {about} AND status IN ({placeholders(len(before))})"
    )
    return run(db, text, [status, report.now, *values, *params, *before]) > 0
