"""New chats: which accounts began with people who never wrote to them, and the line in which further ones wait.

The line is a token bucket (GCRA, see `wagate.rate`) that lies in the tables, so that it holds over restarts and for all
gateways: each row that began has the moment at which the account's bucket is full again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import peewee

from wagate.storage.fields import as_time, clean, time_text
from wagate.storage.statement import lock, rows, run, run_many

_KNOWN = (
    "SELECT 1 FROM chats WHERE client_id = ? AND chat = ? AND account = ? AND messages > 0 "
    "UNION ALL SELECT 1 FROM new_chats WHERE account_id = ? AND chat = ? AND full_at IS NOT NULL "
    "UNION ALL SELECT 1 FROM contact_keys k JOIN contact_keys o ON o.contact_id = k.contact_id "
    "JOIN chats c ON c.client_id = k.client_id AND c.chat = o.key AND c.account = ? "
    "WHERE k.client_id = ? AND k.key = ? AND c.messages > 0 LIMIT 1"
)
_MOST = 100_000
"""Of those ahead that are counted: the calendar ends somewhere."""
_PLACE = "SELECT message_id, full_at FROM new_chats WHERE account_id = ? AND chat = ?"
_FULL_AT = "SELECT full_at FROM new_chats WHERE account_id = ? AND full_at IS NOT NULL ORDER BY full_at DESC LIMIT 1"
_AHEAD = "SELECT COUNT(*) FROM new_chats WHERE account_id = ? AND message_id < ? AND full_at IS NULL AND asked_at > ?"
_STAND = (
    "INSERT INTO new_chats (account_id, chat, message_id, asked_at, full_at) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (account_id, chat) DO UPDATE SET asked_at = excluded.asked_at, full_at = excluded.full_at"
)
_SAY_WHY = (
    "UPDATE messages SET error = ?, updated_at = ? WHERE id = ? AND status = 'queued' AND COALESCE(error, '') <> ?"
)


class NewChat(msgspec.Struct, frozen=True, kw_only=True):
    """A message that asks to begin its chat."""

    account_id: str
    chat: str
    message_id: str
    """UUIDv7: its place in the line is by age."""
    delivery_id: str
    interval: timedelta
    """In which one more chat may begin."""
    burst: int
    """How many at once after a pause, at least 1."""
    gone: timedelta
    """Who did not ask for so long is not in the line any more: cancelled, or the account is down."""
    recover: timedelta
    """How long the message may be tried once its turn has come: the time in the line is not counted."""
    reason: str
    """Why it waits, for people."""
    now: datetime


def is_known(db: peewee.Database, *, client_id: int, account: str, account_id: str, chat: str) -> bool:
    """Whether anything was said in an account's chat, under any key of the person, or the account began it."""
    key, name = clean(chat), clean(account)
    return bool(rows(db, _KNOWN, (client_id, key, name, account_id, key, name, client_id, key)))


def begin_chat(db: peewee.Database, new: NewChat, *, waits: bool) -> float:
    """Begin a chat if its turn has come (0.0), else the seconds until then; ``waits``: it stands in the line.

    While it waits, its message says why, and its delivery is given up later by as much.
    """
    lock(db, f"new_chats:{new.account_id}")
    place, now = (new.account_id, clean(new.chat)), time_text(new.now)
    found = rows(db, _PLACE, place)
    if found and found[0][1] is not None:
        return 0.0  # another gateway began it just now
    first = str(found[0][0]) if found else new.message_id
    seconds, full = _turn(db, new, first)
    if seconds <= 0:
        run(db, _STAND, (*place, first, now, time_text(full)))
        return 0.0
    if waits:
        run(db, _STAND, (*place, first, now, None))
        until = time_text(new.now + timedelta(seconds=seconds) + new.recover)
        text = (  # with all that is behind it in its chat
            "UPDATE deliveries SET expires_at = ? WHERE key = (SELECT key FROM deliveries WHERE id = ?) "
            "AND settled = FALSE AND (expires_at IS NULL OR expires_at < ?)"
        )
        run(db, text, (until, new.delivery_id, until))
        run(db, _SAY_WHY, (new.reason, now, new.message_id, new.reason))
    return seconds


def give_back(db: peewee.Database, account_id: str, chat: str) -> None:
    """Nothing left for the chat: it has not begun, and its turn is not spent."""
    run(db, "UPDATE new_chats SET full_at = NULL WHERE account_id = ? AND chat = ?", (account_id, clean(chat)))


def delete_new_chats(db: peewee.Database, before: datetime, most: int = 500) -> int:
    """Forget chats that began, or were asked for last, before a time; how many."""
    old = rows(db, "SELECT account_id, chat FROM new_chats WHERE asked_at < ? LIMIT ?", (time_text(before), most))
    run_many(db, "DELETE FROM new_chats WHERE account_id = ? AND chat = ?", old)
    return len(old)


def _turn(db: peewee.Database, new: NewChat, first: str) -> tuple[float, datetime]:
    """Seconds until it may begin; when the account's bucket is full again if it begins now."""
    found = rows(db, _FULL_AT, (new.account_id,))
    full = max((as_time(found[0][0]) if found else None) or new.now, new.now)
    # The clock may have been set back, or the rate raised: a bucket is full again after its own time at the latest.
    full = min(full, new.now + new.burst * new.interval)
    [(ahead,)] = rows(db, _AHEAD, (new.account_id, first, time_text(new.now - new.gone)))
    ready = full + (min(int(ahead), _MOST) - (new.burst - 1)) * new.interval
    return (ready - new.now).total_seconds(), full + new.interval
