"""What is said of chats and messages besides what was said in them: archived, unread, cleared, starred.

A mark is on a person's chats under all of their keys. What is cleared stays stored: deliveries may wait for it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal

import peewee

from wagate.storage.fields import clean, time_text
from wagate.storage.statement import placeholders, rows, run, slices
from wagate.storage.threads.contacts import contacts_of

Mark = Literal["archive", "unarchive", "unread", "read", "delete", "clear"]
_CLEAR: Final = "unread = 0, cleared_to = last_event_id, cleared = messages"
_SETS: Final[dict[Mark, str]] = {
    "archive": "archived = TRUE",
    "unarchive": "archived = FALSE",
    "unread": "unread = CASE WHEN unread > 0 THEN unread ELSE -1 END",
    "read": "unread = 0",
    "clear": _CLEAR,
    "delete": f"{_CLEAR}, archived = FALSE, deleted = TRUE",
}
_NEW: Final = (
    "INSERT INTO chats (client_id, account, chat, last_at, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_WHOSE: Final = "client_id = ? AND chat = ? AND account = ?"


def mark_chat(db: peewee.Database, *, client_id: int, account: str, chat: str, mark: Mark, now: datetime) -> bool:
    """Mark it; whether there is such a chat. One in which nothing was said yet can be archived and unread already."""
    at, there = time_text(now), (client_id, clean(account), clean(chat))
    text = f"UPDATE chats SET {_SETS[mark]} WHERE {_WHOSE}"  # noqa: S608

    def marked() -> bool:
        # Each by itself and sorted, so that two processes never wait for each other crosswise.
        changed = [run(db, text, (client_id, key, clean(account))) for key in _keys(db, client_id, chat)]
        return any(changed)

    # Not beside a chat under another of the person's keys.
    return marked() or (mark in {"archive", "unread"} and bool(run(db, _NEW, (*there, at, at))) and marked())


def cleared_to(db: peewee.Database, *, client_id: int, account: str, chat: str) -> dict[str, str]:
    """The id of the last event that was cleared, for each of the person's chats that was; later ones are greater."""
    keys = _keys(db, client_id, chat)
    text = (
        "SELECT chat, cleared_to FROM chats "  # noqa: S608
        f"WHERE client_id = ? AND account = ? AND cleared_to <> '' AND chat IN ({placeholders(len(keys))})"
    )
    return {str(key): str(last) for key, last in rows(db, text, (client_id, clean(account), *keys))}


def star_message(db: peewee.Database, event_id: str, *, on: bool) -> None:
    """Put a star on a message, or take it away."""
    add = "INSERT INTO starred_messages (event_id) SELECT id FROM events WHERE id = ? ON CONFLICT DO NOTHING"
    run(db, add if on else "DELETE FROM starred_messages WHERE event_id = ?", (event_id,))


def starred(db: peewee.Database, event_ids: Collection[str]) -> set[str]:
    """Those of these messages that have a star."""
    found: set[str] = set()
    for part in slices(sorted(event_ids)):
        text = f"SELECT event_id FROM starred_messages WHERE event_id IN ({placeholders(len(part))})"  # noqa: S608
        found.update(str(event_id) for (event_id,) in rows(db, text, part))
    return found


def _keys(db: peewee.Database, client_id: int, chat: str) -> list[str]:
    person = contacts_of(db, [(client_id, chat)]).get((client_id, chat))
    return sorted({clean(chat), *(person.keys if person is not None else ())})
