"""The archive as it is read again: from its beginning on, one message, what became of it, what was heard last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
import peewee

from wagate.events import Event, kinds
from wagate.events.kinds import MESSAGE_EDITED, MESSAGE_REVOKED
from wagate.parsing.chats import is_group
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.storage.events.listing import select_events
from wagate.storage.fields import clean
from wagate.storage.models import Account, Chat, EventRow
from wagate.storage.rows import to_event
from wagate.storage.statement import first, first_id, slices
from wagate.storage.threads.contacts import contacts_of

MESSAGES = (kinds.MESSAGE, kinds.MESSAGE_ANY)
"""What the archive of a conversation holds."""
SLACK = timedelta(days=1)
"""An event may say that it happened so much later than it was stored: clocks differ."""
RECENT = timedelta(hours=1)
"""What was heard before says nothing any more."""


class ChatRow(msgspec.Struct, frozen=True, kw_only=True):
    """One chat of one account."""

    account: str
    chat: str
    name: str
    """Of the group or the person; '' when not known."""
    aliases: list[str]
    """Other keys of the person, phone numbers first."""
    last_at: datetime
    """When the last message came in."""


def events_after(
    db: peewee.Database,
    *,
    client_id: int,
    kinds: Collection[str],
    accounts: Collection[str],
    since: datetime,
    after: str,
    limit: int,
) -> Sequence[Event]:
    """Events that happened at ``since`` or later, in the order in which they were stored, after the one named."""
    # Ids begin with the time of storing (UUIDv7), so that the index leads to the first one.
    start = max(after, first_id(since - SLACK))
    query = select_events().where(
        EventRow.client_id == client_id,
        EventRow.id > start,
        EventRow.timestamp >= since,
        EventRow.kind.in_(sorted(kinds)),
    )
    if accounts:
        query = query.where(EventRow.account.in_(sorted(accounts)))
    return [to_event(row) for row in query.order_by(EventRow.id).limit(limit).dicts().execute(db)]


def chats_after(
    db: peewee.Database, *, client_id: int, accounts: Collection[str], after: tuple[str, str], limit: int
) -> Sequence[ChatRow]:
    """Chats by (chat, account), after the one named."""
    chat, account = after
    query = Chat.select().where(
        Chat.client_id == client_id, (Chat.chat > chat) | ((Chat.chat == chat) & (Chat.account > account))
    )
    if accounts:
        query = query.where(Chat.account.in_(sorted(accounts)))
    found = list(query.order_by(Chat.chat, Chat.account).limit(limit).dicts().execute(db))
    people = contacts_of(db, [(client_id, row["chat"]) for row in found])
    rows = []
    for row in found:
        person = people.get((client_id, row["chat"]))
        rows.append(
            ChatRow(
                account=row["account"],
                chat=row["chat"],
                name=row["name"] or (person.name if person is not None else ""),
                aliases=[key for key in person.keys if key != row["chat"]] if person is not None else [],
                last_at=row["last_at"],
            )
        )
    return rows


def find_message(db: peewee.Database, *, client_id: int, account: str, ids: Sequence[str]) -> Event | None:
    """The message of an account that has one of these ids, in whatever form it is written; None when there is none."""
    own = Account.select(Account.id).where(Account.client_id == client_id, Account.name == account)
    for each in ids:
        bare = clean(bare_id(each))
        query = select_events().where(
            EventRow.account_id.in_(own), EventRow.bare_id == bare, EventRow.kind.in_(MESSAGES)
        )
        if not is_unique(bare):
            query = query.where(EventRow.message_id == clean(each))
        row = first(db, query.order_by(EventRow.id))
        if row is not None:
            return to_event(row)
    return None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a message got."""

    content: str
    at: datetime


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message."""

    edits: tuple[Edit, ...] = ()
    """Oldest first."""
    revoked_at: datetime | None = None
    """When it was deleted for everyone."""


NO_MARKS = Marks()


def marks_of(db: peewee.Database, events: Sequence[Event], keys: Collection[str] = ()) -> dict[str, Marks]:
    """The marks of these messages by the event's id; of those that have any. ``keys`` are chats with one person."""
    told: dict[tuple[str, str], list[Event]] = {}
    for part in slices(sorted({clean(bare_id(event.message_id)) for event in events} - {""})):
        about = EventRow.bare_id.in_(part) & EventRow.kind.in_((MESSAGE_EDITED, MESSAGE_REVOKED))
        for row in select_events().where(about).order_by(EventRow.id).dicts().execute(db):
            told.setdefault((row["account_id"], row["bare_id"]), []).append(to_event(row))
    marked = {}
    for event in events:
        bare = clean(bare_id(event.message_id))
        found = [each for each in told.get((event.account_id, bare), ()) if _is_about(each, event, bare, keys)]
        if found:
            marked[event.id] = _marks(found)
    return marked


def _is_about(told: Event, message: Event, bare: str, keys: Collection[str]) -> bool:
    """A short id may be another chat's, too; and nobody edits another's message, nor takes it back but in a group."""
    if told.from_me != message.from_me and not (told.kind == MESSAGE_REVOKED and is_group(told.chat)):
        return False
    return told.chat == message.chat or is_unique(bare) or (told.chat in keys and message.chat in keys)


def _marks(told: Sequence[Event]) -> Marks:
    revoked = [each for each in told if each.kind == MESSAGE_REVOKED and each.extra.get("scope") != "me"]
    edits = tuple(Edit(content=each.content, at=each.timestamp) for each in told if each.kind == MESSAGE_EDITED)
    return Marks(edits=edits, revoked_at=revoked[0].timestamp if revoked else None)


def presences(
    db: peewee.Database, *, client_id: int, account: str, chat: str | None, kind: str, now: datetime
) -> list[Event]:
    """The newest event of each chat of the account in the last hour; of one ``chat``, that one alone."""
    query = select_events().where(
        EventRow.client_id == client_id,
        EventRow.id > first_id(now - RECENT),
        EventRow.account == account,
        EventRow.kind == kind,
    )
    if chat is not None:
        query = query.where(EventRow.chat == chat)
    found: dict[str, Event] = {}
    for row in query.order_by(EventRow.id.desc()).dicts().execute(db):
        event = to_event(row)
        found.setdefault(event.chat, event)
    return list(found.values())
