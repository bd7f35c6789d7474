"""Statuses that a provider reports, folded into their messages: forwards only. And who of a group has read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.events import Event
from wagate.events.acks import DELIVERED, FAILED, PARTICIPANT, RANKS, READ, SENT, is_one_of_many, reached
from wagate.events.kinds import MESSAGE_ACK, MESSAGE_ANY
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.storage.fields import as_time, clean, from_json, optional, time_text
from wagate.storage.statement import lock, placeholders, rows, run, slices

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

_BY_ID = "SELECT client_id, id FROM messages WHERE id IN ({0})"
# In the words of the partial index, which SQLite does not find otherwise.
_BY_BARE_ID = (
    "SELECT account_id, bare_id FROM messages WHERE account_id IN ({0}) AND bare_id IN ({1}) AND bare_id <> ''"
)
# Not by the index of chats: few messages have these statuses, and a chat has many.
_OPEN = (
    "SELECT client_id, account_id, chat FROM messages WHERE client_id IN ({0}) AND status IN ('sending', 'unknown') "
    "AND (chat || '') IN ({1})"
)
_Row = tuple[Any, ...]
_REPORTS = "SELECT extra, timestamp FROM events WHERE {0} AND kind = ? AND client_id = ? ORDER BY id"
_MEMBERS = "SELECT members FROM chats WHERE client_id = ? AND chat = ? AND account = ?"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of a message."""

    extra: dict[str, Any]
    """As `wagate.events.acks.ack_extra` makes it."""
    when: str
    """When it happened, by the provider; as text."""
    now: str
    """When we learned it."""
    by_all: bool = False
    """Whether it is of the last participant of a group who had not read it."""

    @property
    def status(self) -> str:
        """The word; played is read, and what one of a group has read was delivered to it."""
        return READ if self.by_all else reached(self.extra)

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

    A status is about the message whose id is the reference, else about the account's one with the event's bare id; a
    short id counts in its chat only.
    """
    for event, reference in items:
        if event.kind == MESSAGE_ACK or (event.kind == MESSAGE_ANY and reference):
            _fold(db, event, reference)


def fold_early_acks(db: peewee.Database, message_id: str, account_id: str, bare: str) -> None:
    """Fold what was reported before the provider's id was known; call it after that id was written, in its commit."""
    text = (
        "SELECT extra, timestamp, created_at FROM events WHERE account_id = ? AND bare_id = ? AND kind = ? "  # noqa: S608
        f"{'' if is_unique(bare) else 'AND chat = (SELECT chat FROM messages WHERE id = ?) '}ORDER BY id"
    )
    found = [account_id, clean(bare), MESSAGE_ACK, *([] if is_unique(bare) else [message_id])]
    for extra, *times in rows(db, text, found):
        when, now = (time_text(moment) for moment in map(as_time, times) if moment is not None)
        _write(db, Report(extra=from_json(extra), when=when, now=now), "id = ?", [message_id])


def _fold(db: peewee.Database, event: Event, reference: str) -> None:
    said = {"status": SENT} if event.kind == MESSAGE_ANY else event.extra
    by_all = is_one_of_many(said) and all_have_read(db, event)
    report = Report(extra=said, when=time_text(event.timestamp), now=time_text(event.created_at), by_all=by_all)
    provider_id = clean(event.message_id)
    bare = bare_id(provider_id)
    if bare:
        lock_bare_id(db, event.account_id, bare)
    if reference:
        ours = [clean(reference), event.client_id]
        changed = _write(db, report, "id = ? AND client_id = ?", ours)
        if provider_id:
            text = (
                "UPDATE messages SET provider_id = ?, bare_id = ? WHERE id = ? AND client_id = ? AND provider_id = ''"
            )
            run(db, text, [provider_id, bare, *ours])
        if changed:
            return
    if bare and event.account_id:
        about, ours = of_bare_id(event.account_id, bare, event.chat)
        _write(db, report, f"client_id = ? AND {about}", [event.client_id, *ours])


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


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """A report, as far as it says which message it is about."""

    client_id: int
    account_id: str
    chat: str
    provider_id: str
    """The provider's id of the message; '' when it is not said."""
    reference: str
    """Our own id of it, when the provider carries it back."""


def may_be_ours(db: peewee.Database, acks: Sequence[Ack]) -> list[bool]:
    """For each report whether it may be about a message that we sent.

    So it is when a message has its reference or its provider's id (see `wagate.storage.outbox.acks.fold_acks`),
    or when one of the account to that chat is ``sending`` or ``unknown``: the provider's id of that one may not be
    written yet.
    """
    return [answer for part in slices(acks) for answer in _of_slice(db, part)]


def _of_slice(db: peewee.Database, acks: Sequence[Ack]) -> list[bool]:
    clients, chats = {ack.client_id for ack in acks}, {clean(ack.chat) for ack in acks}
    accounts = {ack.account_id for ack in acks} - {""}
    references = {clean(ack.reference) for ack in acks} - {""}
    bare_ids = {clean(bare_id(ack.provider_id)) for ack in acks} - {""}
    by_id = _found(db, _BY_ID, references)
    by_bare_id = _found(db, _BY_BARE_ID, accounts, bare_ids)
    still_open = _found(db, _OPEN, clients, chats)
    return [
        (ack.client_id, clean(ack.reference)) in by_id
        or (ack.account_id, clean(bare_id(ack.provider_id))) in by_bare_id
        or (ack.client_id, ack.account_id, clean(ack.chat)) in still_open
        for ack in acks
    ]


def _found(db: peewee.Database, text: str, *among: Iterable[Any]) -> set[_Row]:
    """The rows of a query with one list of values for each of its places; none when a list is empty."""
    lists = [sorted(each) for each in among]
    if not all(lists):
        return set()
    filled = text.format(*(placeholders(len(each)) for each in lists))
    return {tuple(row) for row in rows(db, filled, [value for each in lists for value in each])}


def lock_bare_id(db: peewee.Database, account_id: str, bare: str) -> None:
    """Keep out, until the commit, who else writes about this id of the provider.

    Without it, a status and the message's own "sent", committed by two processes at once, would not see each other.
    """
    lock(db, f"{account_id}\x1f{bare}")


def of_bare_id(account_id: str, bare: str, chat: str) -> tuple[str, list[Any]]:
    """A condition, and its values, that the account's message with this id meets; a short id counts in its chat."""
    # In the words of the partial index: without them SQLite goes through all messages.
    about, values = "account_id = ? AND bare_id = ? AND bare_id <> ''", [account_id, clean(bare)]
    return (about, values) if is_unique(bare) or not chat else (f"{about} AND chat = ?", [*values, clean(chat)])


class ReaderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One participant."""

    participant: str
    """Their key."""
    status: str
    """How far the message got with them: delivered, read or played."""
    at: datetime


def all_have_read(db: peewee.Database, event: Event) -> bool:
    """Whether with this report the last participant of a group has read a message: no, as long as nobody told how many.

    Of the members one is us.
    """
    members = rows(db, _MEMBERS, (event.client_id, clean(event.chat), clean(event.account)))
    others = members[0][0] - 1 if members else 0
    if others < 1:
        return False
    found = readers_of(db, event.client_id, event.account_id, bare_id(event.message_id), event.chat)
    return sum(RANKS[each.status] >= RANKS[READ] for each in found) >= others


def readers_of(db: peewee.Database, client_id: int, account_id: str, bare: str, chat: str) -> list[ReaderRow]:
    """Participants in the order of their first report, by the account's id of the message."""
    if not bare:
        return []
    about, values = of_bare_id(account_id, bare, chat)
    found: dict[str, ReaderRow] = {}
    for extra, moment in rows(db, _REPORTS.format(about), (*values, MESSAGE_ACK, client_id)):
        said = from_json(extra)
        participant, status, at = said.get(PARTICIPANT), said.get("status"), as_time(moment)
        if not isinstance(participant, str) or status not in RANKS or at is None:
            continue
        before = found.get(participant)
        if before is None or RANKS[status] > RANKS[before.status]:
            found[participant] = ReaderRow(participant=participant, status=status, at=at)
    return list(found.values())
