"""WAHA's envelope, so that what was built for WAHA can listen to wagate.

Source: https://waha.devlike.pro/docs/how-to/events/, and envelopes captured from WAHA 2026.2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from wagate.events import SESSION_STATES, Event, Media, SessionStatus, kinds

ENGINE = "WAGATE"
TIER = "CORE"


def envelope(
    event: Event, *, name: str, delivery_id: str, created_at: datetime, version: str, media: Media | None
) -> dict[str, Any]:
    """``{id, timestamp, event, session, metadata, me, payload, environment}``; ``me`` only when our number is known.

    ``media`` is shown in place of the event's own.
    """
    event = msgspec.structs.replace(event, media=media)
    body: dict[str, Any] = {
        "id": f"evt_{UUID(delivery_id).hex}",
        "timestamp": milliseconds(created_at),
        "event": name,
        "session": event.account,
        "metadata": event.metadata,
        "me": {"id": _me(event)},
        "payload": _PAYLOADS.get(event.kind, _other)(event),
        "environment": {"version": version, "engine": ENGINE, "tier": TIER, "browser": None},
    }
    if not event.phone:
        del body["me"]
    return body


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds, as in the envelope's ``timestamp``."""
    return int(moment.timestamp() * 1000)


def _me(event: Event) -> str | None:
    return f"{event.phone}@c.us" if event.phone else None


def _base(event: Event) -> dict[str, Any]:
    """Who to whom. In a message of our own ``from`` is us and ``to`` the chat; else ``from`` is the chat."""
    ours, chat = _me(event), event.chat or None
    return {
        "id": _message_id(event),
        "timestamp": int(event.timestamp.timestamp()),
        "from": ours if event.from_me else chat,
        "fromMe": event.from_me,
        "to": chat if event.from_me else ours,
        "participant": event.sender if event.chat.endswith("@g.us") and event.sender else None,
    }


def _message_id(event: Event) -> str:
    """``<fromMe>_<chat>_<id>[_<participant>]``; engines of this family give it in that form already."""
    if not event.message_id or event.message_id.startswith(("true_", "false_")):
        return event.message_id
    parts = ["true" if event.from_me else "false", event.chat, event.message_id]
    if event.chat.endswith("@g.us") and event.sender:
        parts.append(event.sender)
    return "_".join(parts)


def _message(event: Event) -> dict[str, Any]:
    media = event.media
    return _base(event) | {
        "body": event.content,
        "hasMedia": media is not None,
        "media": media and {"url": media.url, "mimetype": media.mimetype, "filename": media.filename},
        "ack": event.extra.get("ack"),
        "ackName": event.extra.get("ackName", "UNKNOWN"),
        "location": event.extra.get("location"),
        "vCards": event.extra.get("vcards"),
        "replyTo": {"id": event.reply_to} if event.reply_to else None,
        "_data": {},
    }


def _ack(event: Event) -> dict[str, Any]:
    return _base(event) | {"ack": event.extra.get("ack"), "ackName": event.extra.get("ackName", "UNKNOWN")}


def _reaction(event: Event) -> dict[str, Any]:
    return _base(event) | {"reaction": event.extra.get("reaction")}


def _edited(event: Event) -> dict[str, Any]:
    return _message(event) | {"editedMessageId": event.extra.get("editedMessageId", event.message_id)}


def _revoked(event: Event) -> dict[str, Any]:
    about = event.extra.get("revokedMessageId", event.message_id)
    return {"after": _message(event), "before": None, "revokedMessageId": about}


def _session(event: Event) -> dict[str, Any]:
    word = event.extra.get("status", "")
    status = SESSION_STATES[SessionStatus(word)].waha if word in SESSION_STATES else "UNKNOWN"
    return {
        "name": event.account,
        "status": status,
        "statuses": [{"status": status, "timestamp": milliseconds(event.timestamp)}],
        "data": None,
    }


def _call(event: Event) -> dict[str, Any]:
    about = {"id": event.message_id, "from": event.sender or event.chat}
    call = event.extra.get("call")
    return about | {"timestamp": int(event.timestamp.timestamp())} | (call if isinstance(call, dict) else {})


def _presence(event: Event) -> dict[str, Any]:
    return {"id": event.chat, "presences": event.extra.get("presences", [])}


def _other(event: Event) -> dict[str, Any]:
    return {"timestamp": int(event.timestamp.timestamp())} | event.extra


_PAYLOADS: dict[str, Callable[[Event], dict[str, Any]]] = {
    kinds.MESSAGE: _message,
    kinds.MESSAGE_ANY: _message,
    kinds.MESSAGE_FAILED: _message,
    kinds.MESSAGE_ACK: _ack,
    kinds.MESSAGE_REACTION: _reaction,
    kinds.MESSAGE_EDITED: _edited,
    kinds.MESSAGE_REVOKED: _revoked,
    kinds.SESSION_STATUS: _session,
    kinds.CALL_RECEIVED: _call,
    kinds.CALL_ACCEPTED: _call,
    kinds.CALL_REJECTED: _call,
    kinds.PRESENCE_UPDATE: _presence,
}
