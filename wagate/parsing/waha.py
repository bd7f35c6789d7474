"""WAHA's envelope, so that what was built for WAHA can listen to wagate.

Source: https://waha.devlike.pro/docs/how-to/events/, and envelopes captured from WAHA 2026.2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from wagate.events import kinds
from wagate.events.acks import PARTICIPANT
from wagate.events.event import Event, Media
from wagate.events.sessions import SESSION_STATES, SessionStatus
from wagate.parsing.fields import first_text, mapping

ENGINE = "WAGATE"
TIER = "CORE"
ENGINE_DATA = "_data"
"""In ``extra``: the engine's own data, as WAHA sent it."""
EVENT_OF_TYPE = {"poll_vote": "poll.vote", "event_response": "event.response"}
"""Type of a message → WAHA's name for such an event."""
_DETAILS = (
    "interactive",
    "referral",
    "order",
    "product",
    "poll",
    "calendar_event",
    "invite",
    "template",
    "payment",
    "forwarded",
    "view_once",
    "error",
)
"""Keys of ``extra`` that stand in the payload beside WAHA's own."""


def envelope(
    event: Event, *, name: str, delivery_id: str, created_at: datetime, version: str, media: Media | None
) -> dict[str, Any]:
    """``{id, timestamp, event, session, metadata, me, payload, environment}``; ``me`` only when our number is known.

    ``media`` is shown in place of the event's own.
    """
    event = msgspec.structs.replace(event, media=media)
    about_message = event.kind in {kinds.MESSAGE, kinds.MESSAGE_ANY}
    body: dict[str, Any] = {
        "id": f"evt_{UUID(delivery_id).hex}",
        "timestamp": milliseconds(created_at),
        "event": EVENT_OF_TYPE.get(event.type, name) if about_message else name,
        "session": event.account,
        "metadata": event.metadata,
        "me": {"id": _me(event)},
        "payload": _PAYLOADS.get(event.kind, _other)(event),
        "environment": {"version": version, "engine": ENGINE, "tier": TIER, "browser": None},
    }
    if not event.phone:
        del body["me"]
    return body


def message(event: Event, media: Media | None) -> dict[str, Any]:
    """One message, as in the payload of ``message.any``; ``media`` is shown in place of the event's own."""
    return _message(msgspec.structs.replace(event, media=media))


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


def _message_id(event: Event, bare: str | None = None) -> str:
    """``<fromMe>_<chat>_<id>[_<participant>]``; engines of this family give it in that form already."""
    bare = event.message_id if bare is None else bare
    if not bare or bare.startswith(("true_", "false_")):
        return bare
    parts = ["true" if event.from_me else "false", event.chat, bare]
    if event.chat.endswith("@g.us") and event.sender:
        parts.append(event.sender)
    return "_".join(parts)


def _message(event: Event) -> dict[str, Any]:
    if event.type == "poll_vote":
        return _vote(event)
    media = event.media
    body = {
        "body": event.content,
        "hasMedia": media is not None,
        "media": media and {"url": media.url, "mimetype": media.mimetype, "filename": media.filename},
        "ack": event.extra.get("ack"),
        "ackName": event.extra.get("ackName", "UNKNOWN"),
        "location": _location(event.extra.get("location")),
        "vCards": event.extra.get("vcards"),
        "replyTo": _reply(event),
        "_data": event.extra.get(ENGINE_DATA) or _data(event),
    }
    if event.type == "event_response":
        body |= _attendance(event)
    return _base(event) | body | _details(event)


def _location(place: Any) -> dict[str, Any] | None:
    """In WAHA's words (``WALocation``): degrees are texts, and it says whether it is live."""
    if not isinstance(place, dict) or place.get("latitude") is None or place.get("longitude") is None:
        return None
    told = {name: place[name] for name in ("name", "address", "url") if place.get(name)}
    return {
        "latitude": str(place["latitude"]),
        "longitude": str(place["longitude"]),
        "live": place.get("live") is True,
    } | told


def _details(event: Event) -> dict[str, Any]:
    return {name: event.extra[name] for name in _DETAILS if event.extra.get(name)}


def _reply(event: Event) -> dict[str, Any] | None:
    """What it answers: the id; writer and words as far as the provider told them."""
    if not event.reply_to:
        return None
    quoted = event.extra.get("quoted")
    told = quoted if isinstance(quoted, dict) else {}
    names = {"sender": "participant", "content": "body"}
    return {"id": event.reply_to} | {theirs: told[ours] for ours, theirs in names.items() if told.get(ours)}


def _data(event: Event) -> dict[str, Any]:
    """The engine's data that readers look into, for providers without an engine: the name, and what was chosen.

    In the words of each of WAHA's engines, since readers know one of them.
    """
    data: dict[str, Any] = {}
    if name := event.contact_name:
        data |= {"notifyName": name, "pushName": name, "Info": {"PushName": name}}
    chosen = event.extra.get("interactive")
    if not isinstance(chosen, dict) or not chosen.get("id"):
        return data
    title = chosen.get("title", "")
    if chosen.get("type") == "list_reply":
        reply = {"title": title, "singleSelectReply": {"selectedRowId": chosen["id"]}}
        return data | {"type": "list_response", "listResponse": reply}
    return data | {"type": "buttons_response", "selectedButtonId": chosen["id"]}


def _vote(event: Event) -> dict[str, Any]:
    """``poll.vote``: who chose what, and in which poll."""
    vote = event.extra.get("vote")
    told = vote if isinstance(vote, dict) else {}
    about = event.reply_to or ""
    base = _base(event)
    # A poll's id says whose it is.
    ours = about.startswith("true_")
    return {
        "vote": {name: base[name] for name in ("id", "from", "fromMe", "to", "participant", "timestamp")}
        | {"selectedOptions": told.get("selected", [])},
        "poll": {
            "id": about,
            "from": _me(event) if ours else event.chat,
            "fromMe": ours,
            "to": event.chat if ours else _me(event),
        },
        "timestamp": base["timestamp"],
    }


def _attendance(event: Event) -> dict[str, Any]:
    """``event.response``: whether somebody comes."""
    told = event.extra.get("event_response")
    told = told if isinstance(told, dict) else {}
    about = event.reply_to or ""
    answer = {"response": told.get("response"), "timestampMs": milliseconds(event.timestamp)}
    return {
        "eventCreationKey": {"id": about, "fromMe": about.startswith("true_")},
        "eventResponse": answer | {"extraGuestCount": told.get("guests", 0)} if told.get("response") else None,
    }


def _ack(event: Event) -> dict[str, Any]:
    ack = {"ack": event.extra.get("ack"), "ackName": event.extra.get("ackName", "UNKNOWN")}
    # WAHA gives no reason; a reader that knows ours finds it beside its own fields.
    # In a group the participant is whose phone the message reached.
    reader = {"participant": event.extra[PARTICIPANT]} if event.extra.get(PARTICIPANT) else {}
    return _base(event) | ack | reader | _details(event) | _own_data(event)


def _reaction(event: Event) -> dict[str, Any]:
    """Its id is the reaction's own; ``reaction.messageId`` is the message's."""
    given = mapping(event.extra.get("reaction"))
    own = _message_id(event, first_text(given, "id") or event.id)
    reaction = {name: given.get(name) for name in ("text", "messageId")}
    return _base(event) | {"id": own, "reaction": reaction} | _own_data(event)


def _own_data(event: Event) -> dict[str, Any]:
    data = event.extra.get(ENGINE_DATA)
    return {ENGINE_DATA: data} if data else {}


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
    details = {name: value for name, value in event.extra.items() if name != "inline_file"}
    return {"timestamp": int(event.timestamp.timestamp())} | details


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
