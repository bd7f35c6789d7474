"""What the phone gives of the past, as lines with some messages each: one line of all would hold up the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict

from wagate_whatsapp_child.flat import Json, Known, keep_poll, slim
from wagate_whatsapp_child.library import Library

CHUNK = 100
DAY = 86_400


def past(library: Library, raw: bytes, known: Known, head: Json, days: int) -> list[Json]:
    """Lines of one part of the history, without what is older than ``days``; the last one has ``head``'s number.

    Source: waHistorySync, HistorySync and Conversation; waWeb, WebMessageInfo.
    """
    data = library.types.HistorySync.FromString(raw).Data
    oldest = time.time() - days * DAY
    messages = [each for chat in data.conversations for each in _messages(chat, known, oldest)]
    parts = [messages[at : at + CHUNK] for at in range(0, len(messages), CHUNK)] or [[]]
    lines = [head | {"event": "History", "n": 0, "messages": part} for part in parts]
    lines[-1]["n"] = head["n"]
    return lines


def _messages(chat: Any, known: Known, oldest: float) -> Iterator[Json]:
    other = chat.pnJID or chat.lidJID or (known.phone(chat.ID) if chat.ID.endswith("@lid") else "")
    group = chat.ID.endswith("@g.us")
    for each in chat.messages:
        info = each.message
        if info.messageTimestamp < oldest or not info.HasField("message"):
            continue
        body = slim(MessageToDict(info.message, preserving_proto_field_name=True))
        writer = info.key.participant or info.participant if group else "" if info.key.fromMe else chat.ID
        keep_poll(known.polls, info.key.ID, body)
        yield {
            "chat": chat.ID,
            "chat_alt": "" if group else other,
            "sender": writer,
            "sender_alt": (known.phone(writer) if writer.endswith("@lid") else "") if group else other,
            "from_me": info.key.fromMe,
            "group": group,
            "id": info.key.ID,
            "time": info.messageTimestamp * 1000,
            "name": info.pushName,
            "message": body,
        }
