"""Stored messages and chats in WAHA's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from wagate.events import Event
from wagate.events.acks import ACKS, DELIVERED, PENDING, READ, SENT
from wagate.parsing.waha import message
from wagate.storage.database import Database
from wagate.storage.owners.directory import Account
from wagate.storage.rows import Page
from wagate.storage.threads.archive import Marks
from wagate.storage.threads.chat_marks import cleared_to, starred
from wagate.storage.threads.conversations import Thread, list_threads
from wagate.storage.threads.talk import Said, talk
from wagate.web.waha.desk import Desk

AT_ONCE = 200
"""Rows of one read."""
FURTHEST = 5000
"""Messages or chats that one request looks through."""
ACK_OF = {"queued": PENDING, "sending": PENDING, "sent": SENT, "delivered": DELIVERED, "read": READ}
FAILED_ACK = (-1, "ERROR")
INCOMING_ACK = ACKS[DELIVERED]


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list."""

    session: str | None = None
    limit: int = 100
    offset: int = 0
    sort_order: Literal["asc", "desc", ""] = msgspec.field(default="", name="sortOrder")

    @property
    def most(self) -> int:
        """How many, 1000 at most."""
        return max(0, min(self.limit, 1000))

    @property
    def start(self) -> int:
        """From which on."""
        return max(0, min(self.offset, FURTHEST))

    def of(self, rows: list[Any]) -> list[Any]:
        """The part of a whole list."""
        return rows[self.start : self.start + self.most]


class MessageQuery(Paging, frozen=True, kw_only=True):
    """Which messages of a chat."""

    chat_id: str = msgspec.field(default="", name="chatId")
    before: float | None = msgspec.field(default=None, name="filter.timestamp.lte")
    """Unix seconds."""
    after: float | None = msgspec.field(default=None, name="filter.timestamp.gte")
    from_me: Literal["true", "false", "1", "0", ""] = msgspec.field(default="", name="filter.fromMe")
    ack: str = msgspec.field(default="", name="filter.ack")
    """A word: PENDING, SERVER, DEVICE, READ, PLAYED."""

    def wants(self, event: Event, shown: dict[str, Any]) -> bool:
        """Whether a message is one of them."""
        at = event.timestamp.timestamp()
        if self.from_me and event.from_me is not (self.from_me in {"true", "1"}):
            return False
        if self.ack and shown["ackName"] != self.ack:
            return False
        return (self.before is None or at <= self.before) and (self.after is None or at >= self.after)


async def messages_of(desk: Desk, account: Account, chat: str, query: MessageQuery) -> list[dict[str, Any]]:
    """Messages of a chat, the newest first; with ``asc`` the oldest of the newest `FURTHEST` first."""
    found: list[dict[str, Any]] = []
    cursor, seen = None, 0
    rising = query.sort_order == "asc"
    cleared = await desk.database.browse(cleared_to, client_id=account.client_id, account=account.name, chat=chat)
    while seen < FURTHEST and (rising or len(found) < query.start + query.most):
        page: Page[Said] = await desk.database.browse(
            talk, client_id=account.client_id, chat=chat, account=account.name, limit=AT_ONCE, cursor=cursor
        )
        seen += AT_ONCE
        here = [each for each in page.data if each.event is not None and each.id > cleared.get(each.event.chat, "")]
        stars = await stars_on(desk, [each.id for each in here])
        for said in here:
            assert said.event is not None  # chosen just now
            shown = shown_message(desk, said.event, said.marks, said, starred=said.id in stars)
            if query.wants(said.event, shown):
                found.append(shown)
        cursor = page.next_cursor
        if cursor is None:
            break
    return query.of(found[::-1] if rising else found)


async def stars_on(desk: Desk, event_ids: list[str]) -> set[str]:
    """Which of these messages have a star."""
    return await desk.database.browse(starred, event_ids) if event_ids else set()


def shown_message(
    desk: Desk, event: Event, marks: Marks, said: Said | None = None, *, starred: bool = False
) -> dict[str, Any]:
    """One message, as it is now."""
    gone = marks.revoked_at is not None
    shown = message(event, None if gone else desk.file_of(event))
    if gone or marks.edits:
        shown["body"] = "" if gone else marks.edits[-1].content
    shown["ack"], shown["ackName"] = ack_of(event, said)
    shown["source"] = "api" if event.extra.get("id") else "app"
    shown["mediaUrl"] = (shown["media"] or {}).get("url")
    # In the words of WAHA's engines WEBJS and NOWEB, where its readers look.
    shown["_data"] = {**(shown.get("_data") or {}), "star": starred, "starred": starred}
    return shown


def ack_of(event: Event, said: Said | None = None) -> tuple[int, str]:
    """How far a message got, by WAHA's number and word."""
    if not event.from_me:
        return INCOMING_ACK
    if said is not None and said.message is not None:
        return ACKS[ACK_OF[said.message.status]] if said.message.status in ACK_OF else FAILED_ACK
    given, name = event.extra.get("ack"), event.extra.get("ackName")
    return (given, name) if isinstance(given, int) and isinstance(name, str) else ACKS[SENT]


async def threads_of(
    desk: Desk,
    account: Account,
    paging: Paging,
    wanted: Callable[[Thread], bool] = lambda _thread: True,
    *,
    by: Callable[[Thread], str] | None = None,
) -> list[Thread]:
    """Chats of an account, the one with the newest message first; in another order, of the newest `FURTHEST`."""
    found: list[Thread] = []
    before, seen = None, 0
    whole = by is not None or paging.sort_order == "asc"
    while seen < FURTHEST and (whole or len(found) < paging.start + paging.most):
        page = await _page(desk.database, account, before)
        found += [each for each in page if not each.deleted and wanted(each)]
        seen += AT_ONCE
        if len(page) < AT_ONCE:
            break
        before = (page[-1].last_at, page[-1].last_event_id)
    if by is not None:
        found.sort(key=by, reverse=paging.sort_order == "desc")
    elif whole:
        found.reverse()
    return paging.of(found)


async def _page(database: Database, account: Account, before: Any) -> list[Thread]:
    found: list[Thread] = await database.browse(
        list_threads, client_id=account.client_id, account=account.name, limit=AT_ONCE, before=before
    )
    return found


def name_of(thread: Thread) -> str | None:
    """Of the group, else of the person."""
    return thread.name or (thread.contact.name if thread.contact is not None else "") or None


def shown_chat(thread: Thread) -> dict[str, Any]:
    """One chat."""
    return {
        "id": thread.chat,
        "name": name_of(thread),
        "isGroup": thread.chat.endswith("@g.us"),
        "conversationTimestamp": int(thread.last_at.timestamp()),
        "timestamp": int(thread.last_at.timestamp()),
        "messages": thread.messages - thread.cleared,
        "archived": thread.archived,
        "unreadCount": thread.unread,
    }


def shown_summary(desk: Desk, thread: Thread, *, starred: bool) -> dict[str, Any]:
    """One chat with its last message; ``starred``: that has a star."""
    last = thread.last if thread.last_event_id > thread.cleared_to else None
    return {
        "id": thread.chat,
        "name": name_of(thread),
        "picture": None,
        "lastMessage": None if last is None else shown_message(desk, last, thread.marks, starred=starred),
        "_chat": shown_chat(thread),
    }
