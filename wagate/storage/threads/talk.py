"""What people look at: a conversation with how far each answer got, and one message from end to end."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.errors import NotFoundError
from wagate.events import Event
from wagate.events.kinds import MESSAGE
from wagate.parsing.message_ids import bare_id
from wagate.storage.events.listing import deliveries_of, get_delivery, get_event, select_events
from wagate.storage.fields import clean
from wagate.storage.models import Chat, EventRow, Message
from wagate.storage.outbox.messages import UNSENT, MessageRow, get_message
from wagate.storage.rows import DeliveryDetail, Page, to_event
from wagate.storage.statement import first, first_id
from wagate.storage.threads.archive import NO_MARKS, Marks
from wagate.storage.threads.contacts import contacts_of
from wagate.storage.threads.conversations import archive

MOST_ANSWERS = 20
MOST_CHATS = 5
"""In which the newest message is looked for: in the very newest there may be our own alone."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation: archived, or submitted and not sent."""

    event: Event | None
    marks: Marks = NO_MARKS
    """How it was edited or deleted since."""
    message: MessageRow | None
    """How far it got, when wagate sends it."""

    @property
    def id(self) -> str:
        """The event's; of one not sent, the message's."""
        assert self.event is not None or self.message is not None
        return self.event.id if self.event is not None else self.message.id  # type: ignore[union-attr]

    @property
    def at(self) -> datetime:
        """When it was said."""
        assert self.event is not None or self.message is not None
        return self.event.timestamp if self.event is not None else self.message.created_at  # type: ignore[union-attr]


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """One message from end to end."""

    event: Event
    """What came in; of an outgoing message, the event that brings it out."""
    deliveries: list[DeliveryDetail]
    message: MessageRow | None
    """The outgoing message; None when this one came in."""
    cause: Event | None
    """What the outgoing message answers, when a job says so."""
    answers: list[MessageRow]
    """Of one that came in: what was submitted for its chat until the next one came in, oldest first."""


def talk(
    db: peewee.Database, *, client_id: int, chat: str, account: str, limit: int, cursor: str | None = None
) -> Page[Said]:
    """A page of a conversation, newest first. What was not sent stands among what was."""
    page = archive(db, client_id=client_id, chat=chat, limit=limit, cursor=cursor, account=account)
    events = [each.event for each in page.data]
    known = {str(each.extra["id"]) for each in events if each.from_me and each.extra.get("id")}
    found = {
        row["id"]: MessageRow(**row)
        for row in _mine(client_id).where(Message.id.in_(sorted(known))).dicts().execute(db)
    }
    said = [
        Said(event=each.event, marks=each.marks, message=found.get(str(each.event.extra.get("id"))))
        for each in page.data
    ]
    contact = contacts_of(db, [(client_id, chat)]).get((client_id, chat))
    keys = sorted({chat, *(contact.keys if contact is not None else ())})
    query = _mine(client_id).where(Message.chat.in_(keys), Message.account.concat("") == account)
    query = query.where(Message.status.concat("").in_(sorted(UNSENT)), Message.provider_id.concat("") == "")
    if cursor is not None:
        query = query.where(Message.id < cursor)
    if page.next_cursor is not None:
        query = query.where(Message.id > page.next_cursor)
    unsent = query.order_by(Message.id.desc()).limit(limit).dicts().execute(db)
    said += [Said(event=None, message=MessageRow(**row)) for row in unsent]
    return Page(data=sorted(said, key=lambda each: each.id, reverse=True), next_cursor=page.next_cursor)


def newest_incoming(
    db: peewee.Database, *, client_id: int, account: str, account_id: str, since: datetime
) -> Event | None:
    """The newest message that came in through an account since then; looked for in its newest chats alone."""
    chats = Chat.select(Chat.chat).where(Chat.client_id == client_id, Chat.last_at >= since, Chat.account == account)
    found = []
    for (chat,) in chats.order_by(Chat.last_at.desc()).limit(MOST_CHATS).tuples().execute(db):
        query = select_events().where(
            EventRow.client_id == client_id,
            EventRow.chat == chat,
            EventRow.id >= first_id(since),
            EventRow.kind == MESSAGE,
            EventRow.from_me == peewee.SQL("FALSE"),
            EventRow.account_id == account_id,
        )
        found += [to_event(row) for row in query.order_by(EventRow.id.desc()).limit(1).dicts().execute(db)]
    return max(found, key=lambda each: each.id, default=None)


def follow(db: peewee.Database, wanted: str, *, client_id: int | None = None) -> Journey:
    """The message with this id, the event's or our own; with ``client_id`` only that client's. NotFoundError."""
    message = _message(db, wanted, client_id)
    event = get_event(db, wanted if message is None else message.event_id, client_id=client_id)
    return Journey(
        event=event,
        deliveries=deliveries_of(db, event.id),
        message=message,
        cause=None if message is None else _cause(db, message),
        answers=_answers(db, event) if message is None else [],
    )


def message_named(db: peewee.Database, wanted: str, *, client_id: int | None) -> str | None:
    """What `follow` finds the message by that this id means: our own, or the provider's; None: there is none."""
    with suppress(NotFoundError):
        return get_message(db, wanted, client_id=client_id).id
    whole, bare = clean(wanted), clean(bare_id(wanted))
    for table, same in ((Message, Message.provider_id == whole), (EventRow, EventRow.message_id == whole)):
        # Short ids are counted in each chat: who gives the whole one means that; else it is the first that had it.
        query = table.select(table.id).where(table.bare_id == bare, peewee.SQL("bare_id <> ''"))
        if client_id is not None:
            query = query.where(table.client_id == client_id)
        if found := first(db, query.order_by(same.desc(), table.id).limit(1)):
            return str(found["id"])
    return None


def _message(db: peewee.Database, wanted: str, client_id: int | None) -> MessageRow | None:
    """The outgoing message with this id, or that this event brings out or tells about: it has our id."""
    with suppress(NotFoundError):
        return get_message(db, wanted, client_id=client_id)
    event = get_event(db, wanted, client_id=client_id)
    ours = event.extra.get("id")
    if event.from_me and isinstance(ours, str):
        with suppress(NotFoundError):
            return get_message(db, ours, client_id=event.client_id)
    return None


def _cause(db: peewee.Database, message: MessageRow) -> Event | None:
    if message.job_id:
        with suppress(NotFoundError):
            return get_delivery(db, message.job_id, client_id=message.client_id).event
    return None


def _answers(db: peewee.Database, event: Event) -> list[MessageRow]:
    """Both ids begin with the time (UUIDv7)."""
    if event.kind != MESSAGE or event.from_me or not event.chat:
        return []
    later = EventRow.select(EventRow.id).where(
        EventRow.client_id == event.client_id,
        EventRow.chat == event.chat,
        EventRow.id > event.id,
        EventRow.kind == MESSAGE,
        EventRow.account == event.account,
    )
    until = first(db, later.order_by(EventRow.id).limit(1))
    query = _mine(event.client_id).where(Message.chat == event.chat, Message.id > event.id)
    query = query.where(Message.account.concat("") == event.account)
    if until is not None:
        query = query.where(Message.id < until["id"])
    return [MessageRow(**row) for row in query.order_by(Message.id).limit(MOST_ANSWERS).dicts().execute(db)]


def _mine(client_id: int) -> Any:
    # Not by the client's index: the chat and the id are narrower.
    return Message.select().where(Message.client_id + 0 == client_id)
