"""Messages to send: submitted once, in one commit with the event and the delivery that bring them out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.errors import NotFoundError, StorageError
from wagate.events.kinds import MESSAGE_SEND
from wagate.parsing.message_ids import bare_id, is_unique
from wagate.rules.filters import ALL_MESSAGES, MessageFilter
from wagate.storage.database import bulk
from wagate.storage.events.intake import Intake, Stored, store
from wagate.storage.fields import clean, json_text, optional, time_text
from wagate.storage.media import note_uses
from wagate.storage.models import Account, EventRow, Message
from wagate.storage.rows import Page
from wagate.storage.statement import first, leading, marks, narrowed, rows
from wagate.storage.threads.contacts import contacts_of

_INSERT = (
    "INSERT INTO messages (id, client_id, account, account_id, provider, chat, type, content, message, event_id, "  # noqa: S608
    f"delivery_id, source, source_key, job_id, metadata, warnings, created_at, updated_at) VALUES {marks(18, 1)} "
    "ON CONFLICT (source, client_id, source_key) WHERE source_key IS NOT NULL DO NOTHING RETURNING id"
)
_BY_KEY = "SELECT id FROM messages WHERE source = ? AND client_id = ? AND source_key = ?"
_WAITING_AT = (
    "SELECT d.account FROM messages m JOIN deliveries d ON d.id = m.delivery_id WHERE m.client_id = ? AND m.chat = ? "
    "AND (m.status || '') IN ('queued', 'sending') ORDER BY m.id DESC LIMIT 1"
)
UNSENT = frozenset({"queued", "sending", "failed", "unknown"})
_LEADS = tuple(
    frozenset(names.split()) for names in ("bare_id", "chat", "client_id status", "unsent", "account", "client_id")
)
"""Filters with an index, the narrowest first; ``unsent`` is a status that few messages have."""
_LAST_AT = (
    "SELECT account FROM chats WHERE client_id = ? AND chat = ? AND account <> '' ORDER BY last_event_id DESC LIMIT 1"
)


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was submitted, and how far it got."""

    id: str
    client_id: int
    account: str
    """Name of the account that sends it, or sent it."""
    account_id: str
    """Its id; '' of one that was gone when ids were written down."""
    provider: str
    chat: str
    type: str
    content: str
    message: Any
    """What is to be sent: `wagate.hooks.messages.OutMessage` in JSON types."""
    status: str
    """queued, sending, sent, delivered, read, failed or unknown."""
    provider_id: str
    """The provider's id; '' until it is known."""
    event_id: str
    """The event that brings it out."""
    delivery_id: str
    source: str
    """Who submitted it: ``api``, or a plugin's name."""
    source_key: str | None
    job_id: str | None
    metadata: dict[str, Any]
    warnings: list[str]
    attempts: int
    """How often it was handed to a provider."""
    error: str | None
    error_code: str | None
    outside_window: bool
    """Whether it failed because only a template reaches somebody who has not written within 24 h."""
    told: bool
    """Whether connectors know what became of it."""
    created_at: datetime
    sending_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    updated_at: datetime
    bare_id: str = ""
    """What stays of the provider's id: `wagate.parsing.message_ids`."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One message to store."""

    id: str
    """UUIDv7."""
    intake: Intake
    """The event that brings it out, with its one route; it says whose message it is, and for which chat."""
    message: Any
    """See `MessageRow`; likewise the fields below."""
    source: str
    source_key: str | None = None
    job_id: str | None = None
    metadata: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a submission."""

    id: str
    """Its id; of one whose key is known: the first one's."""
    stored: Stored | None = None
    """None: its key was known, nothing was stored."""


@bulk
def submit(db: peewee.Database, items: list[Submission]) -> list[Submitted]:
    """Store messages, each with its event and its delivery, in order; a (source, client, key) counts once."""
    fresh = [item for item in items if rows(db, _INSERT, _row(item))]
    stored = dict(zip([item.id for item in fresh], store(db, [item.intake for item in fresh]), strict=True))
    note_uses(db, [(item.intake.event.id, (item.message.get("media") or {}).get("media_id")) for item in fresh])
    return [
        Submitted(id=item.id, stored=stored[item.id]) if item.id in stored else Submitted(id=_first_id(db, item))
        for item in items
    ]


def find_by_key(db: peewee.Database, source: str, client_id: int, key: str) -> MessageRow | None:
    """The message that was submitted under a key."""
    found = rows(db, _BY_KEY, (clean(source), client_id, clean(key)))
    return get_message(db, found[0][0]) if found else None


def get_message(db: peewee.Database, message_id: str, *, client_id: int | None = None) -> MessageRow:
    """One message; with ``client_id`` only that client's. NotFoundError."""
    query = Message.select().where(Message.id == message_id)
    row = first(db, query if client_id is None else query.where(Message.client_id == client_id))
    if row is None:
        raise NotFoundError("no such message")
    return MessageRow(**row)


def list_messages(
    db: peewee.Database,
    which: MessageFilter = ALL_MESSAGES,
    *,
    client_id: int | None = None,
    limit: int,
    cursor: str | None = None,
) -> Page[MessageRow]:
    """A page of messages, newest first; ``client_id`` None: of all clients."""
    query = Message.select().order_by(Message.id.desc()).limit(limit + 1)
    asked = msgspec.structs.asdict(which)
    message_id = asked.pop("message_id")
    asked |= {"client_id": client_id, "bare_id": message_id and bare_id(message_id)}
    given = {name: value for name, value in asked.items() if value is not None}
    lead = leading(given | ({"unsent": True} if which.status in UNSENT else {}), _LEADS)
    if "bare_id" in lead:
        query = query.where(peewee.SQL("bare_id <> ''"))
    elif "unsent" in lead:
        query = query.where(peewee.SQL("status IN ('queued', 'sending', 'failed', 'unknown')"))
        lead |= {"status"}
    query = narrowed(query, Message, given, lead)
    if cursor is not None:
        query = query.where(Message.id < cursor)
    found = [MessageRow(**row) for row in query.dicts().execute(db)]
    return Page(data=found[:limit], next_cursor=found[limit - 1].id if len(found) > limit else None)


def own_account(db: peewee.Database, client_id: int, chat: str) -> str | None:
    """Name of the account that a chat belongs to: where messages to it wait, else where it last had one.

    A chat with a person goes on under each of their keys.
    """
    person = contacts_of(db, [(client_id, clean(chat))]).get((client_id, clean(chat)))
    keys = dict.fromkeys((clean(chat), *(person.keys if person is not None else ())))
    for text in (_WAITING_AT, _LAST_AT):
        for key in keys:
            for (account,) in rows(db, text, (client_id, key)):
                return str(account)
    return None


def _first_id(db: peewee.Database, item: Submission) -> str:
    found = rows(db, _BY_KEY, (clean(item.source), item.intake.event.client_id, optional(item.source_key)))
    if not found:
        raise StorageError("the first message with this key was deleted by retention just now; send it again")
    return str(found[0][0])


def _row(item: Submission) -> tuple[Any, ...]:
    event = item.intake.event
    now = time_text(event.created_at)
    return (
        item.id,
        event.client_id,
        clean(event.account),
        event.account_id,
        event.provider,
        clean(event.chat),
        clean(event.type),
        clean(event.content),
        json_text(item.message),
        event.id,
        item.intake.routes[0].delivery_id,
        clean(item.source),
        optional(item.source_key),
        item.job_id,
        json_text(item.metadata),
        json_text(item.warnings),
        now,
        now,
    )


def find_by_message_id(db: peewee.Database, client_id: int, ids: Sequence[str]) -> tuple[str, str] | None:
    """The id and the chat of the first message of the client that has one of these ids; None when there is none.

    A long id is known in whatever form it is written; a short one may be another chat's, too.
    """
    accounts = Account.select(Account.id).where(Account.client_id == client_id)
    for each in ids:
        bare = bare_id(each)
        same = peewee.SQL("TRUE") if is_unique(bare) else EventRow.message_id == each
        query = EventRow.select(EventRow.chat, EventRow.message_id).where(
            EventRow.account_id.in_(accounts),
            EventRow.bare_id == bare,
            same,
            EventRow.chat != "",
            # On its way out a message has our id, which no provider knows.
            EventRow.kind != MESSAGE_SEND,
        )
        row = first(db, query)
        if row is not None:
            return row["message_id"], row["chat"]
    return None
