"""WAHA's chats: from the archive, whatever provider is behind; what is done to them, by the provider if it can.

Archived, unread, cleared and starred are kept here in any case: for the lists, and since few providers tell the phone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from quart import request

from wagate.errors import NotFoundError, UnprocessableError
from wagate.events import Event
from wagate.hooks.asks import ChatMark, MarkChat, PinMessage, StarMessage
from wagate.hooks.messages import Signal
from wagate.storage.threads.archive import NO_MARKS, find_message, marks_of
from wagate.storage.threads.chat_marks import cleared_to, mark_chat, star_message
from wagate.storage.threads.conversations import Thread, list_threads
from wagate.web.messages.content import read_chat
from wagate.web.waha.archived import (
    MessageQuery,
    Paging,
    messages_of,
    name_of,
    shown_chat,
    shown_message,
    shown_summary,
    stars_on,
    threads_of,
)
from wagate.web.waha.bodies import Session, Success
from wagate.web.waha.desk import Call, Row
from wagate.web.waha.message_names import ids_of

DAYS = (86400, 604800, 2592000)
"""Seconds for which WhatsApp pins a message."""


class ChatsQuery(Paging, frozen=True, kw_only=True):
    """Which chats, in which order."""

    sort_by: Literal["conversationTimestamp", "id", "name", ""] = msgspec.field(default="", name="sortBy")


ORDERS: Final[dict[str, Callable[[Thread], str]]] = {
    "id": lambda thread: thread.chat,
    "name": lambda thread: (name_of(thread) or "").casefold(),
}
"""By what else chats are sorted than by their last message."""


class OverviewQuery(Paging, frozen=True, kw_only=True):
    """Which chats."""

    limit: int = 20


class OverviewPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list."""

    limit: int = 20
    offset: int = 0


class OverviewFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which chats."""

    ids: Annotated[list[str], Meta(max_length=1000)] | None = None


class OverviewBody(msgspec.Struct, frozen=True, kw_only=True):
    """Which chats."""

    pagination: OverviewPart = OverviewPart()
    filter: OverviewFilter | None = None


class OneQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of it matters here: files have links of ours in any case."""

    downloadMedia: str = ""  # noqa: N815  (WAHA's name)


class ReadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How far back."""

    messages: int = 30
    days: int = 7


class PinBody(msgspec.Struct, frozen=True, kw_only=True):
    """For how long."""

    duration: int
    """Seconds: 86400, 604800 or 2592000."""


class StarBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``star``."""

    session: Session | None = None
    message_id: Annotated[str, Meta(min_length=1, max_length=1000)]
    chat_id: str
    star: bool


async def _chats(call: Call) -> Any:
    found = await threads_of(call.desk, call.account, call.query, by=ORDERS.get(call.query.sort_by))
    return [shown_chat(each) for each in found]


async def _overview(call: Call) -> Any:
    ids = [each for part in request.args.getlist("ids") for each in _listed(part)]
    return await _summaries(call, call.query, ids)


def _listed(part: str) -> list[str]:
    """Ids with commas between; or, as WAHA's n8n node sends them, a list in JSON."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(part, type=list[str])
    return [each for each in part.split(",") if each]


async def _overview_by_body(call: Call) -> Any:
    part = call.body.pagination
    ids = (call.body.filter.ids if call.body.filter else None) or []
    return await _summaries(call, Paging(limit=part.limit, offset=part.offset), ids)


async def _summaries(call: Call, paging: Paging, ids: list[str]) -> list[dict[str, Any]]:
    keys = {read_chat(each, "ids") for each in ids}
    found = await threads_of(call.desk, call.account, paging, lambda each: not keys or each.chat in keys)
    stars = await stars_on(call.desk, [each.last_event_id for each in found])
    return [shown_summary(call.desk, each, starred=each.last_event_id in stars) for each in found]


async def _messages(call: Call) -> Any:
    return await messages_of(call.desk, call.account, call.chat(), call.query)


async def _messages_by_query(call: Call) -> Any:
    chat = read_chat(call.query.chat_id, "chatId")
    return await messages_of(call.desk, call.account, chat, call.query)


async def _message(call: Call) -> Any:
    found = await _found(call, ids_of(call.parts["messageId"]))
    if found is None:
        raise NotFoundError("Message not found")
    marks = await call.desk.database.browse(marks_of, [found])
    stars = await stars_on(call.desk, [found.id])
    return shown_message(call.desk, found, marks.get(found.id, NO_MARKS), starred=bool(stars))


async def _found(call: Call, ids: list[str]) -> Event | None:
    """The stored message with one of these ids; None: there is none, or it was cleared."""
    browse, client_id, account = call.desk.database.browse, call.account.client_id, call.account.name
    found = await browse(find_message, client_id=client_id, account=account, ids=ids)
    if found is None:
        return None
    cleared = await browse(cleared_to, client_id=client_id, account=account, chat=found.chat)
    return found if found.id > cleared.get(found.chat, "") else None


async def _read(call: Call) -> Any:
    since = call.desk.clock.now().timestamp() - call.query.days * 86400
    query = MessageQuery(limit=max(1, min(call.query.messages, 1000)), after=since, from_me="false")
    found = await messages_of(call.desk, call.account, call.chat(), query)
    names = [
        await call.desk.names.find(each["id"], client_id=call.account.client_id, field="messages") for each in found
    ]
    if names:
        signal = Signal(kind="seen", chat=call.chat(), message_ids=tuple(each.id for each in names))
        await call.desk.sending.signal(signal, client_id=call.account.client_id, account=call.account.name)
    else:
        await _keep(call, "read")
    return {"ids": [each["id"] for each in found]}


def _mark(mark: ChatMark) -> Any:
    async def act(call: Call) -> Any:
        told = MarkChat in call.desk.answers(call.account)
        if told:
            await call.ask(await _asked(call, mark))
        if not await _keep(call, mark) and not told and mark in {"clear", "delete"}:
            raise NotFoundError("Chat not found")
        return Success()

    return act


async def _asked(call: Call, mark: ChatMark) -> MarkChat:
    """What the provider is asked: some need to hear which message was the last."""
    ask = MarkChat(chat=call.chat(), mark=mark)
    known = await call.desk.database.browse(
        list_threads, client_id=call.account.client_id, account=call.account.name, chat=ask.chat, limit=1
    )
    last = known[0].last if known else None
    return ask if last is None else replace(ask, last_id=last.message_id, last_at=int(last.timestamp.timestamp()))


async def _keep(call: Call, mark: ChatMark) -> bool:
    """Keep a chat's mark ourselves; whether there is such a chat."""
    account, now = call.account, call.desk.clock.now()
    return await call.desk.database.write(
        mark_chat, client_id=account.client_id, account=account.name, chat=call.chat(), mark=mark, now=now
    )


async def _pin(call: Call) -> Any:
    if call.body.duration not in DAYS:
        raise UnprocessableError(f"WhatsApp pins for one of {', '.join(map(str, DAYS))} seconds", field="duration")
    return await _pinned(call, call.body.duration)


async def _unpin(call: Call) -> Any:
    return await _pinned(call, 0)


async def _pinned(call: Call, seconds: int) -> Any:
    named = await call.desk.names.find(call.parts["messageId"], client_id=call.account.client_id, field="messageId")
    await call.ask(PinMessage(chat=call.chat(), message_id=named.id, seconds=seconds))
    return Success()


async def _star(call: Call) -> Any:
    body: StarBody = call.body
    named = await call.desk.names.find(body.message_id, client_id=call.account.client_id, field="messageId")
    chat, told = read_chat(body.chat_id, "chatId"), StarMessage in call.desk.answers(call.account)
    if told:
        await call.ask(StarMessage(chat=chat, message_id=named.id, on=body.star))
    found = await _found(call, [*ids_of(body.message_id), named.id])
    if found is not None:
        await call.desk.database.write(star_message, found.id, on=body.star)
    elif not told:
        raise NotFoundError("Message not found")
    return Success()


async def _picture(call: Call) -> Any:
    return {"url": await picture_of(call, call.chat("chatId" if "chatId" in call.parts else "id"))}


async def picture_of(call: Call, chat: str) -> str | None:
    """The URL of a chat's picture."""
    return (await call.desk.profile(call.account, chat)).picture or None


CHAT = "{session}/chats/{chatId}"
CHATS = (
    Row(verb="GET /{session}/chats", doc="Chats that were stored.", handle=_chats, query=ChatsQuery),
    Row(
        verb="GET /{session}/chats/overview",
        doc="Chats with their last message.",
        handle=_overview,
        query=OverviewQuery,
    ),
    Row(
        verb="POST /{session}/chats/overview",
        doc="The same, for a list of ids.",
        handle=_overview_by_body,
        body=OverviewBody,
        status=201,
    ),
    Row(
        verb=f"DELETE /{CHAT}",
        doc="Delete a chat: on our own devices if the provider can; WAHA's lists leave it out.",
        handle=_mark("delete"),
        act="delete chat",
    ),
    Row(verb=f"GET /{CHAT}/picture", doc="A chat's picture.", handle=_picture),
    Row(verb=f"GET /{CHAT}/messages", doc="Stored messages.", handle=_messages, query=MessageQuery),
    Row(verb="GET /messages", doc="Stored messages.", handle=_messages_by_query, query=MessageQuery),
    Row(verb=f"DELETE /{CHAT}/messages", doc="Clear a chat, likewise.", handle=_mark("clear"), act="clear chat"),
    Row(
        verb=f"POST /{CHAT}/messages/read",
        doc="Mark a chat's messages as seen.",
        handle=_read,
        query=ReadQuery,
        status=201,
    ),
    Row(verb=f"GET /{CHAT}/messages/{{messageId}}", doc="One stored message.", handle=_message, query=OneQuery),
    Row(
        verb=f"POST /{CHAT}/messages/{{messageId}}/pin",
        doc="Pin it.",
        handle=_pin,
        act="pin message",
        body=PinBody,
        status=201,
    ),
    Row(
        verb=f"POST /{CHAT}/messages/{{messageId}}/unpin",
        doc="Unpin it.",
        handle=_unpin,
        act="unpin message",
        status=201,
    ),
    Row(verb=f"POST /{CHAT}/archive", doc="Archive it.", handle=_mark("archive"), act="archive chat", status=201),
    Row(verb=f"POST /{CHAT}/unarchive", doc="No longer.", handle=_mark("unarchive"), act="unarchive chat", status=201),
    Row(
        verb=f"POST /{CHAT}/unread",
        doc="Mark a chat as unread.",
        handle=_mark("unread"),
        act="mark chat unread",
        status=201,
    ),
    Row(verb="PUT /star", doc="Star a message.", handle=_star, act="star message", body=StarBody),
)
