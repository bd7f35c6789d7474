"""Conversations: to look at, with one test message at a time."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from quart import Blueprint, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import BadRequestError, NotFoundError
from wagate.events import Event
from wagate.hooks.messages import MEDIA_TYPES
from wagate.parsing.chats import chat_key
from wagate.storage.owners.accounts import get_account
from wagate.storage.rows import AccountRow
from wagate.storage.threads.conversations import Thread, list_threads
from wagate.storage.threads.talk import Said, talk
from wagate.web.api.conversations import Place, content_now, cursor_of, place_of
from wagate.web.ui import words
from wagate.web.ui.forms import form_key
from wagate.web.ui.parts import Parts, back, viewer

PAGE: Final = 50
ID: Final = re.compile("[0-9a-f-]{36}")


class Bubble(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the page shows it."""

    id: str
    mine: bool
    text: str
    at: datetime
    tick: tuple[str, str, str]
    """The mark's icon and kind, and its word; empty when nothing is known."""
    error: str = ""
    file: str = ""
    """Its link, a path of ours."""
    picture: bool = False
    filename: str = ""
    quotes: bool = False
    who: str = ""
    note: str = ""
    """edited, deleted, or ''."""


def pages(parts: Parts) -> Blueprint:
    """``/ui/conversations``."""
    routes = Blueprint("conversations", __name__)

    @routes.get("/conversations")
    async def index() -> str:
        find, cursor = request.args.get("find", "").strip()[:200], request.args.get("before") or None
        found = await parts.database.browse(
            list_threads,
            client_id=viewer().client_id,
            limit=PAGE + 1,
            before=_place(cursor),
            chat=chat_key(find) if find else None,
        )
        more = cursor_of(found[PAGE - 1]) if len(found) > PAGE else ""
        return parts.page("conversations", "conversations", chats=found[:PAGE], title=title, find=find, more=more)

    @routes.get("/conversations/<number>/<path:chat>")
    async def show(number: str, chat: str) -> str:
        return await _show(parts, number, chat)

    @routes.post("/conversations/<number>/<path:chat>")
    async def send(number: str, chat: str) -> WerkzeugResponse | tuple[str, int]:
        form = await request.form
        row, _ = await _thread(parts, number, chat)
        body = {"account": row.name, "to": chat, "message": {"text": form.get("text", "")}}
        sent = await parts.api.call("POST", "/messages/send", body, who=viewer(), key=form_key(form))
        wrong = "; ".join(sent.wrong.values())
        became = f"refused: {wrong}" if wrong else f"{sent.data['status']} as {sent.data['id']}"
        if not sent.replayed:
            await parts.note("test message", f"{row.name} {chat}", became, owner=row.client_id)
        if wrong:
            return await _show(parts, number, chat, typed=form.get("text", ""), wrong=wrong), 422
        word = {"sent": "taken", "queued": "queued"}.get(sent.data["status"], "unknown")
        return back(f"/ui/conversations/{quote(number)}/{quote(chat)}", word)

    return routes


def title(thread: Thread) -> str:
    """Whom a chat is with."""
    name = thread.name or (thread.contact.name if thread.contact is not None else "")
    return name or words.chat(thread.chat)


async def _show(parts: Parts, number: str, chat: str, *, typed: str = "", wrong: str = "") -> str:
    row, thread = await _thread(parts, number, chat)
    before = request.args.get("before", "")
    cursor = before if ID.fullmatch(before) else None
    page = await parts.database.browse(
        talk, client_id=row.client_id, chat=chat, account=row.name, limit=PAGE, cursor=cursor
    )
    bubbles = [_bubble(parts, each) for each in reversed(page.data)]
    return parts.page(
        "conversation",
        "conversations",
        row=row,
        chat=chat,
        who=title(thread),
        days=_by_day(bubbles),
        older=page.next_cursor,
        wrote=next((each.at for each in reversed(bubbles) if not each.mine), None) if cursor is None else None,
        typed=typed,
        wrong=wrong,
    )


async def _thread(parts: Parts, number: str, chat: str) -> tuple[AccountRow, Thread]:
    """The number and the chat, when the viewer may see them. NotFoundError."""
    row = await parts.database.browse(get_account, number, client_id=viewer().client_id)
    if row is None:
        raise NotFoundError("no such number")
    found = await parts.database.browse(list_threads, client_id=row.client_id, limit=1, chat=chat, account=row.name)
    if not found:
        raise NotFoundError("no such conversation")
    return row, found[0]


def _bubble(parts: Parts, said: Said) -> Bubble:
    event, message = said.event, said.message
    if event is None:
        assert message is not None
        return Bubble(
            id=said.id,
            mine=True,
            text=message.content,
            at=said.at,
            tick=words.TICKS[message.status],
            error=message.error or "" if message.status in {"failed", "unknown"} else "",
            who=message.source,
        )
    gone = said.marks.revoked_at is not None
    return Bubble(
        id=said.id,
        mine=event.from_me,
        text=content_now(event, said.marks) or ("" if event.media is not None or gone else f"({event.type})"),
        note="deleted" if gone else "edited" if said.marks.edits else "",
        at=said.at,
        tick=words.TICKS[message.status] if message is not None else ("", "", ""),
        quotes=bool(event.reply_to),
        who=_writer(event),
        **({} if gone else _file(parts, event)),
    )


def _writer(event: Event) -> str:
    """Who wrote it, where the chat alone does not say: in a group, or which of us."""
    if event.from_me:
        return str(event.extra.get("source") or "from the phone")
    return (event.contact_name or words.chat(event.sender)) if event.sender not in {"", event.chat} else ""


def _file(parts: Parts, event: Event) -> dict[str, Any]:
    """Where its file is, as a path: the page takes pictures from nowhere else. No drawing that could be a program."""
    if event.media is None:
        return {}
    link = urlsplit(parts.media_url(event) or "")
    kind = event.media.mimetype.partition(";")[0].strip().lower()
    return {
        "file": f"{link.path}?{link.query}" if link.path else "",
        "picture": kind.startswith("image/") and kind != "image/svg+xml",
        "filename": event.media.filename or (event.type if event.type in MEDIA_TYPES else "file"),
    }


def _by_day(bubbles: list[Bubble]) -> dict[str, list[Bubble]]:
    """Oldest first."""
    days: dict[str, list[Bubble]] = {}
    for each in bubbles:
        days.setdefault(f"{each.at:%A} {each.at.day} {each.at:%B %Y}", []).append(each)
    return days


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    try:
        return place_of(None if cursor is None else msgspec.convert(cursor, Place))
    except msgspec.ValidationError as error:
        raise BadRequestError("this page is not there; go back to the first one") from error
