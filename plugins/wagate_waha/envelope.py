"""WAHA's envelope: which event, of which session, who is who in it, and how the session is.

``session.status`` has WAHA's session states (waha, WAHASessionStatus), which are told as ours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from wagate.errors import BadRequestError
from wagate.events import NewEvent, SessionChange, SessionStatus, kinds
from wagate.parsing.chats import GROUP, LID, USER, chat_key, is_broadcast_list
from wagate.parsing.fields import first_text, identifier, instant, mapping, shortened
from wagate_waha.ids import MessageId, own_form, read_id

_LISTS = ("@g.us", "@broadcast", "@newsletter")
"""Chats that are no person."""
# WAHA's webhook has no QR text: the status alone says that one waits, at GET /api/<session>/auth/qr.
_CHANGES = {
    "STOPPED": SessionChange(status=SessionStatus.SESSION_NOT_CONNECTED, message="The session is stopped in WAHA"),
    "STARTING": SessionChange(status=SessionStatus.CONNECTING, message="Starting"),
    "SCAN_QR_CODE": SessionChange(status=SessionStatus.QR_GENERATED, message="QR code generated, scan to connect"),
    "PASSKEY_REQUIRED": SessionChange(status=SessionStatus.CONNECTING, message="WhatsApp asks for a passkey; see WAHA"),
    "PASSKEY_CONFIRMATION_REQUIRED": SessionChange(
        status=SessionStatus.CONNECTING, message="WhatsApp asks to confirm the passkey; see WAHA"
    ),
    "WORKING": SessionChange(status=SessionStatus.SESSION_CONNECTED, message="WhatsApp session connected successfully"),
    "FAILED": SessionChange(
        status=SessionStatus.ERROR, message="The session failed in WAHA; restart it there, and scan the QR code again"
    ),
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook of WAHA, opened."""

    event: str
    """``message``, ``session.status`` …"""
    session: str
    """WAHA's name of the session; '' when it doesn't say."""
    payload: dict[str, Any]
    id: str = ""
    """``evt_…``: of this event, the same when WAHA sends it again; '' from releases of 2024."""
    timestamp: datetime | None = None
    me: dict[str, Any] = {}
    """``id`` and ``lid`` of our own number, when WAHA knows them."""
    phone: str = ""
    """Digits of our own number as the account says; '' when it doesn't."""

    @property
    def ours(self) -> str:
        """The key of our own number; '' when it is not known."""
        return chat_key(first_text(self.me, "id") or self.phone)


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote to whom."""

    id: MessageId
    """The message's id; of our own messages in one form."""
    chat: str
    sender: str
    recipient: str
    from_me: bool
    aliases: tuple[str, ...] = ()
    """Other keys of the sender."""
    broadcast: str = ""
    """The sender's list that the message was sent to; its chat is the one with them, as on the phone."""


def open_envelope(document: dict[str, Any], *, phone: str = "") -> Envelope:
    """Read the envelope, of any release since 2024. ``phone``: digits of our number, for those that don't tell it.

    Raises:
        BadRequestError: it has no event's name.
    """
    event = document.get("event")
    if not isinstance(event, str) or not event.strip():
        raise BadRequestError("event: is required: the event's name, like message", field="event")
    return Envelope(
        event=event.strip(),
        session=identifier(document.get("session")),
        payload=mapping(document.get("payload")),
        id=identifier(document.get("id")),
        timestamp=instant(document.get("timestamp")),
        me=mapping(document.get("me")),
        phone=phone,
    )


def parties(envelope: Envelope, payload: dict[str, Any]) -> Parties:
    """Who is who in a message, a reaction, an ack.

    The chat stands in the id; ``from`` and ``to`` mean different things in each engine. A person who is known by phone
    and by LID is the phone; the other key is an alias.
    """
    found = read_id(payload.get("id"))
    from_me = payload.get("fromMe") is True or found.from_me is True
    ours, data = envelope.ours, mapping(payload.get("_data"))
    raw_chat = chat_key(found.chat) or _other_side(payload, ours, from_me=from_me)
    writer = _writer(payload, found, raw_chat, direct=not raw_chat.endswith(_LISTS))
    broadcast = "" if from_me or writer == raw_chat or not is_broadcast_list(raw_chat) else raw_chat
    raw_chat = writer if broadcast else raw_chat
    direct = not raw_chat.endswith(_LISTS)
    other = _also(data, direct=direct, from_me=from_me)
    if direct:
        chat = _phone_of(raw_chat, other)
        sender = ours if from_me else chat
        known = {raw_chat, *other}
    else:
        chat = raw_chat
        sender = (ours if from_me and ours else "") or _phone_of(writer, other)
        known = {writer, *other}
    if from_me:
        known = {chat_key(first_text(envelope.me, "lid"))}
    message_id = own_form(found, envelope.me, chat if direct and chat.endswith(f"@{USER}") else "")
    aliases = tuple(sorted(known - {sender, "", ours if not from_me else ""}))
    recipient = chat if from_me else ours
    return Parties(
        id=message_id,
        chat=chat,
        sender=sender,
        recipient=recipient,
        from_me=from_me,
        aliases=aliases,
        broadcast=broadcast,
    )


def _other_side(payload: dict[str, Any], ours: str, *, from_me: bool) -> str:
    """The chat of what has no whole id: the group if one is involved, else who is not us."""
    sender, recipient = chat_key(first_text(payload, "from")), chat_key(first_text(payload, "to"))
    for side in (sender, recipient):
        if side.endswith(f"@{GROUP}"):
            return side
    sides = [recipient, sender] if from_me else [sender, recipient]
    return next((side for side in sides if side and side != ours), "") or sender or recipient


def _writer(payload: dict[str, Any], found: MessageId, chat: str, *, direct: bool) -> str:
    if direct:
        return chat
    return chat_key(first_text(payload, "participant", "author") or found.participant) or chat


def _also(data: dict[str, Any], *, direct: bool, from_me: bool) -> set[str]:
    """Other keys of the person, as the engine tells them: whatsmeow's MessageInfo (GOWS), Baileys' key (NOWEB)."""
    info, key = mapping(data.get("Info")), mapping(data.get("key"))
    if direct:
        told = [info.get("RecipientAlt" if from_me else "SenderAlt"), key.get("remoteJidAlt")]
        told += [] if from_me else [key.get("senderPn"), key.get("senderLid")]
    else:
        told = [info.get("SenderAlt"), key.get("participantAlt"), key.get("participantPn"), key.get("participantLid")]
    keys = {chat_key(text) for text in told if isinstance(text, str)}
    return {each for each in keys if each.endswith((f"@{USER}", f"@{LID}"))}


def _phone_of(key: str, other: set[str]) -> str:
    if not key.endswith(f"@{LID}"):
        return key
    return next((each for each in sorted(other) if each.endswith(f"@{USER}")), key)


def status_event(envelope: Envelope, account: str) -> NewEvent:
    """The event and the change of state. A status not known is kept, and changes nothing."""
    word = first_text(envelope.payload, "status")
    change = _CHANGES.get(word)
    extra = {
        "name": account,
        "event": envelope.event,
        "status": change.status if change else None,
        "state": shortened(word),
        "data": shortened(envelope.payload.get("data")),
    }
    if change:
        extra["message"] = change.message
    return NewEvent(kind=kinds.SESSION_STATUS, provider_id=envelope.id, type="status", extra=extra, session=change)
