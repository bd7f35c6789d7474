"""Threads: one row for each chat of an account, counted up in the commit of each message; the archive is the events."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.events import Event, kinds
from wagate.events.event import MEMBERS, MOVED_TO
from wagate.parsing.numbers import key_forms
from wagate.storage.events.listing import select_events
from wagate.storage.fields import clean, time_text
from wagate.storage.models import Account, Chat, EventRow
from wagate.storage.rows import Page, to_event
from wagate.storage.statement import insert_many, rows, run_many, slices
from wagate.storage.threads.archive import MESSAGES, NO_MARKS, Marks, marks_of
from wagate.storage.threads.contacts import ContactKey, ContactRow, Person, contacts_of, note_people

PEOPLE = ("@c.us", "@lid", "@user")
"""How the key of a person ends."""
STATUS = "status@broadcast"
_LATELY = 50
"""Messages of a chat."""

_UPSERT = "INSERT INTO chats (client_id, account, chat, messages, last_event_id, last_at, created_at, unread, answered)"
_UPSERT_TAIL = (
    "ON CONFLICT (client_id, chat, account) DO UPDATE SET "
    "messages = chats.messages + excluded.messages, "
    "last_at = CASE WHEN excluded.last_event_id > COALESCE(chats.last_event_id, '') "
    "THEN excluded.last_at ELSE chats.last_at END, "
    "last_event_id = CASE WHEN excluded.last_event_id > COALESCE(chats.last_event_id, '') "
    "THEN excluded.last_event_id ELSE chats.last_event_id END, "
    "unread = excluded.unread + CASE WHEN excluded.answered <> '' OR (excluded.unread > 0 AND chats.unread < 0) THEN 0 "
    "ELSE chats.unread END, "
    "answered = CASE WHEN excluded.answered <> '' THEN excluded.answered ELSE chats.answered END, "
    "archived = (chats.archived AND excluded.unread = 0), "
    "deleted = (chats.deleted AND excluded.unread = 0 AND excluded.answered = '')"
)
"""Messages of the past may come after later ones, and leave all marks. One that comes in ends archiving; an answer
means read."""

_NAME = (
    "INSERT INTO chats (client_id, account, chat, name, last_at, created_at) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (client_id, chat, account) DO UPDATE SET name = excluded.name"
)
"""A group may be named before anything is said in it: such a row counts no messages, and is no conversation yet."""


_LATER = (
    "NOT EXISTS (SELECT 1 FROM contact_keys k JOIN contact_keys o ON o.contact_id = k.contact_id "
    "JOIN chats u ON u.client_id = mine.client_id AND u.chat = o.key AND u.account = mine.account "
    "WHERE k.client_id = mine.client_id AND k.key = mine.chat AND o.key <> mine.chat AND u.messages > 0 "
    "AND (u.last_at, u.last_event_id) > (mine.last_at, mine.last_event_id))"
)
"""A person's keys have a chat each; the one of the latest message stands for all of them."""


_MEMBERS = (
    "INSERT INTO chats (client_id, account, chat, members, last_at, created_at) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (client_id, chat, account) DO UPDATE SET members = excluded.members"
)


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation of one account: a group's chat, or all chats with one person."""

    client_id: int
    account: str
    chat: str
    """That of the last message."""
    name: str
    """Of the group, else ''."""
    messages: int
    last_at: datetime
    """When the last message came in."""
    created_at: datetime
    last_event_id: str
    last: Event | None
    """The last message; None when it is past retention."""
    marks: Marks
    """What became of it."""
    contact: ContactRow | None
    """The person; None for groups and lists."""
    archived: bool
    unread: int
    """Messages that came in since it was read or answered; -1: marked as unread."""
    cleared: int
    """So many of its messages were cleared …"""
    cleared_to: str
    """… of this chat, up to this event."""
    deleted: bool
    """All were, the chat as well, and nothing was said since."""


class _Talk(msgspec.Struct):
    """What a batch adds to one thread."""

    messages: int = 0
    last: Event | None = None
    unread: int = 0
    """That came in after our last one."""
    answered: str = ""
    """The event of our last one; '' for none."""


def note_messages(
    db: peewee.Database, items: Sequence[tuple[Event, tuple[str, ...]]], *, past: Set[str] = frozenset()
) -> None:
    """Count messages in their threads, and know who wrote them and what groups are called.

    Items are (event, aliases of its sender); ``extra.group_name`` names the event's chat. ``past``: ids of messages of
    the past, which change no marks.
    """
    talks: dict[tuple[int, str, str], _Talk] = {}
    named: dict[tuple[int, str, str], tuple[str, Event]] = {}
    counted: dict[tuple[int, str, str], tuple[int, Event]] = {}
    people: list[Person] = []
    for event, aliases in items:
        key = (event.client_id, clean(event.chat), clean(event.account))
        if name := event.extra.get("group_name"):
            named[key] = (clean(str(name)[:200]), event)
        if isinstance(members := event.extra.get(MEMBERS), int):
            counted[key] = (members, event)
        if event.kind not in MESSAGES or not event.chat or event.chat == STATUS:
            if event.extra.get(MOVED_TO) and (person := _person(event, aliases)) is not None:
                people.append(person)
            continue
        talk = talks.setdefault(key, _Talk())
        talk.messages += 1
        if event.id not in past:
            talk.unread, talk.answered = (0, event.id) if event.from_me else (talk.unread + 1, talk.answered)
        talk.last = event if talk.last is None else max(talk.last, event, key=lambda each: each.id)
        if (person := _person(event, aliases)) is not None:
            people.append(person)
    if talks:
        insert_many(db, _UPSERT, [_row(key, talk) for key, talk in sorted(talks.items())], _UPSERT_TAIL)
    if people:
        note_people(db, people, now=items[-1][0].created_at)
    names = [(*key, name, time_text(event.created_at)) for key, (name, event) in named.items()]
    run_many(db, _NAME, [(client, account, chat, name, at, at) for client, chat, account, name, at in sorted(names)])
    sizes = [(*key, members, time_text(event.created_at)) for key, (members, event) in counted.items()]
    run_many(db, _MEMBERS, [(client, account, chat, size, at, at) for client, chat, account, size, at in sorted(sizes)])


def list_threads(
    db: peewee.Database,
    *,
    client_id: int | None,
    limit: int,
    before: tuple[datetime, str] | None = None,
    account: str | None = None,
    chat: str | None = None,
) -> list[Thread]:
    """Threads, the one with the newest message first; ``before``: (last_at, last event's id) of the page before."""
    mine: Any = Chat.alias("mine")
    query = mine.select().where(mine.messages > 0, peewee.SQL(_LATER))
    query = query.order_by(mine.last_at.desc(), mine.last_event_id.desc()).limit(limit)
    for column, value in ((mine.client_id, client_id), (mine.account, account)):
        if value is not None:
            query = query.where(column == value)
    if chat is not None:
        query = query.where(mine.chat.in_(sorted(_keys_of(db, clean(chat), client_id))))
    if before is not None:
        at, event_id = before
        # The first condition says nothing new, but leads an index to where the page begins.
        query = query.where(mine.last_at <= at, (mine.last_at < at) | (mine.last_event_id < event_id))
    found = list(query.dicts().execute(db))
    events = {
        row["id"]: to_event(row)
        for row in select_events().where(EventRow.id.in_([row["last_event_id"] for row in found])).dicts().execute(db)
    }
    contacts = contacts_of(db, [(row["client_id"], row["chat"]) for row in found])
    marks = marks_of(db, list(events.values()))
    others = _chats_of(db, contacts)
    for row in found:
        contact = contacts.get((row["client_id"], row["chat"]))
        there = others.get((contact.id, row["account"]), ()) if contact is not None else ()
        if further := [other for other in there if other["chat"] != row["chat"]]:
            row["unread"] = _unread(db, [row, *further])
        for other in further:
            row["messages"] += other["messages"]
            row["created_at"] = min(row["created_at"], other["created_at"])
            row["cleared"] += other["cleared"]
            row["archived"] &= other["archived"] or not other["messages"]
    return [
        Thread(
            client_id=row["client_id"],
            account=row["account"],
            chat=row["chat"],
            name=row["name"],
            messages=row["messages"],
            last_at=row["last_at"],
            created_at=row["created_at"],
            last_event_id=row["last_event_id"],
            last=events.get(row["last_event_id"]),
            marks=marks.get(row["last_event_id"], NO_MARKS),
            contact=contacts.get((row["client_id"], row["chat"])),
            archived=row["archived"],
            unread=row["unread"],
            cleared=row["cleared"],
            cleared_to=row["cleared_to"],
            deleted=row["deleted"],
        )
        for row in found
    ]


_NEWER = (
    "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE client_id = ? AND chat = ? AND id > ? AND account = ? "
    "AND from_me = FALSE AND kind IN (?, ?) LIMIT ?) AS newer"
)


def _unread(db: peewee.Database, chats: Sequence[dict[str, Any]]) -> int:
    """Of a person's chats, the newest first: an answer under one key is one to what came in under the others, too."""
    answered, unread = max(each["answered"] for each in chats), 0
    for each in chats:
        if each["unread"] <= 0 or each["answered"] == answered:
            unread += max(each["unread"], 0)
        elif each["last_event_id"] > answered:
            whose = (each["client_id"], each["chat"], answered, each["account"])
            [(newer,)] = rows(db, _NEWER, (*whose, *MESSAGES, each["unread"]))
            unread += int(newer)
    return unread or min(chats[0]["unread"], 0)


def _keys_of(db: peewee.Database, chat: str, client_id: int | None) -> set[str]:
    """The chat's key, and the person's others."""
    if client_id is None:
        return {chat}
    return {chat, *(key for contact in contacts_of(db, [(client_id, chat)]).values() for key in contact.keys)}


def _chats_of(
    db: peewee.Database, contacts: dict[ContactKey, ContactRow]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(contact's id, account) → the chats with these people who have several keys."""
    owner = {(client, key): row.id for (client, _), row in contacts.items() if len(row.keys) > 1 for key in row.keys}
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for part in slices(sorted({key for _, key in owner})):
        for row in Chat.select().where(Chat.chat.in_(part)).dicts().execute(db):
            if (contact_id := owner.get((row["client_id"], row["chat"]))) is not None:
                found.setdefault((contact_id, row["account"]), []).append(row)
    return found


def owners_of(db: peewee.Database, chat: str, *, account: str | None = None) -> set[int]:
    """Ids of the clients that know this chat, or the person by this key; ``account``: that account's client alone."""
    if account is not None:
        return {row.client_id for row in Account.select(Account.client_id).where(Account.name == account).execute(db)}
    text = "SELECT client_id FROM chats WHERE chat = ? UNION SELECT client_id FROM contact_keys WHERE key = ?"
    return {client_id for form in key_forms(chat) for (client_id,) in rows(db, text, (form, form))}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the archive."""

    event: Event
    marks: Marks


def archive(
    db: peewee.Database, *, client_id: int, chat: str, limit: int, cursor: str | None = None, account: str | None = None
) -> Page[Kept]:
    """The messages of a conversation, newest first: of this chat, and of the person's other keys."""
    keys = sorted(_keys_of(db, clean(chat), client_id))
    query = select_events().where(EventRow.client_id == client_id, EventRow.chat.in_(keys), EventRow.kind.in_(MESSAGES))
    if account is not None:
        query = query.where(EventRow.account == account)
    if cursor is not None:
        query = query.where(EventRow.id < cursor)
    found = [to_event(row) for row in query.order_by(EventRow.id.desc()).limit(limit + 1).dicts().execute(db)]
    marks = marks_of(db, found[:limit], keys)
    kept = [Kept(event=each, marks=marks.get(each.id, NO_MARKS)) for each in found[:limit]]
    return Page(data=kept, next_cursor=found[limit - 1].id if len(found) > limit else None)


def last_incoming(db: peewee.Database, client_id: int, account: str, chat: str) -> str:
    """The provider's id of what came in last in a chat, under any key of the person; '' when nothing did lately."""
    page = archive(db, client_id=client_id, chat=chat, limit=_LATELY, account=account)
    events = (kept.event for kept in page.data)
    found = (event.message_id for event in events if event.kind == kinds.MESSAGE and event.message_id)
    return next(found, "")


def _person(event: Event, aliases: tuple[str, ...]) -> Person | None:
    """Whom a message is from; of our own, whom it is to."""
    key = event.chat if event.from_me else event.sender or event.chat
    if not key.endswith(PEOPLE):
        return None
    # Those of our own messages are our own.
    others = () if event.from_me else tuple(alias for alias in aliases if alias.endswith(PEOPLE))
    name = "" if event.from_me else event.contact_name or ""
    moved = event.extra.get(MOVED_TO)
    return Person(
        client_id=event.client_id,
        keys=(key, *others),
        name=name,
        wrote=not event.from_me,
        moved_to=moved if isinstance(moved, str) and moved.endswith(PEOPLE) else "",
    )


def _row(key: tuple[int, str, str], talk: _Talk) -> tuple[object, ...]:
    assert talk.last is not None
    client_id, chat, account = key
    at = time_text(talk.last.created_at)
    return client_id, account, chat, talk.messages, talk.last.id, at, at, talk.unread, talk.answered


def delete_threads(db: peewee.Database, before: datetime, cleared_before: datetime, most: int = 500) -> int:
    """Forget chats in which nothing was said since a time; how many. What was cleared is known for longer."""
    old = list(
        Chat.select(Chat.client_id, Chat.chat, Chat.account)
        .where(Chat.last_at < before, (Chat.cleared_to == "") | (Chat.last_at < cleared_before))
        .limit(most)
        .tuples()
        .execute(db)
    )
    text = "DELETE FROM chats WHERE client_id = ? AND chat = ? AND account = ? AND last_at < ?"
    run_many(db, text, [(*key, time_text(before)) for key in sorted(old)])
    return len(old)


def delete_contacts(db: peewee.Database, before: datetime, most: int = 500) -> int:
    """Forget people who are older than a time and have no chat (any more); how many.

    Who only writes in groups is known again with the next message.
    """
    text = (
        "SELECT c.id FROM contacts c WHERE c.created_at < ? AND c.updated_at < ? AND NOT EXISTS ("
        "SELECT 1 FROM contact_keys k JOIN chats t ON t.client_id = k.client_id AND t.chat = k.key "
        "WHERE k.contact_id = c.id) ORDER BY c.id LIMIT ?"
    )
    at = time_text(before)
    ids = [contact_id for (contact_id,) in rows(db, text, (at, at, most))]
    run_many(db, "DELETE FROM contacts WHERE id = ?", [(each,) for each in ids])
    return len(ids)
