"""The archive, from its beginning on: for who copies it elsewhere, at their own pace."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
import peewee

from wagate.events import Event
from wagate.storage.events.listing import select_events
from wagate.storage.lead import first_id
from wagate.storage.models import Chat, EventRow
from wagate.storage.rows import to_event
from wagate.storage.threads.contacts import contacts_of

SLACK = timedelta(days=1)
"""An event may say that it happened so much later than it was stored: clocks differ."""


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
