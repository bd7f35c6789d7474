"""Message objects of session engines, in all shapes they come in, as events.

Shapes (spec/004; whatsapp-web.js 1.34, src/structures/Message.js): the flat ``{id, body, from, to, timestamp}``; the
class's own fields with ``_data`` beside them; the bare ``_data`` (``t`` for timestamp, ``notifyName`` inside).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.events import NewEvent, kinds
from wagate.inbound.session.content import content_of, media_of, told_of, type_of
from wagate.parsing.chats import STATUS, chat_key, digits_of, is_broadcast_list, is_group
from wagate.parsing.fields import degrees, first_text, identifier, instant, mapping, shortened, whole
from wagate.parsing.message_ids import bare_id
from wagate.parsing.raw_content import NOTHING, RawContent
from wagate.parsing.vcards import card_of


class MessageKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a message's id says."""

    id: str = ""
    """``<fromMe>_<chat>_<id>[_<participant>]``, or whatever the engine calls it; '' when it has none."""
    remote: str = ""
    """The chat, as written."""
    participant: str = ""
    """In a group: who wrote it."""
    from_me: bool | None = None
    """None: it doesn't say."""


_NO_KEY = MessageKey()


def message_event(message: dict[str, Any], *, phone: str = "", files: dict[str, Any] | None = None) -> NewEvent:
    """One message as ``message``, or ``message.any`` when it is our own.

    ``phone`` (digits of our number, '' when not known) tells our own messages when the object itself doesn't.
    ``files`` is the envelope's ``data``, where some engines put the file beside the message.
    """
    data = mapping(message.get("_data"))
    key = message_key(message.get("id")) if message.get("id") else message_key(data.get("id"))
    sender, recipient = chat_key(_wid(message, data, "from")), chat_key(_wid(message, data, "to"))
    from_me = _from_me(message, data, key, bool(phone) and digits_of(sender) == phone)
    author = chat_key(_wid(message, data, "author") or _wid(message, data, "participant") or key.participant)
    told = told_of(message, data)
    kind_of = type_of(message, told)
    chat, broadcast = _chat(message, key, sender, recipient, author, from_me=from_me)
    return NewEvent(
        kind=kinds.UNKNOWN if told.notice else kinds.MESSAGE_ANY if from_me else kinds.MESSAGE,
        # message and message.any of one WhatsApp message are one: message_create repeats what message brought.
        # What could not be decrypted at first comes again as a message, under the same id.
        dedupe_kind="notice" if told.notice else kinds.MESSAGE,
        provider_id=key.id,
        message_id=key.id,
        chat=chat,
        sender=author or sender,
        recipient=recipient,
        type=kind_of,
        content=content_of(message, data, kind_of, told),
        timestamp=instant(message.get("timestamp", message.get("t"))) or instant(data.get("t")),
        from_me=from_me,
        contact_name=None if from_me else _contact_name(message, data),
        media=media_of(message, data, kind_of, files or {}, told),
        reply_to=_reply_to(message, data, key, phone),
        extra=_extra(message, data, kind_of, told) | ({"broadcast": broadcast} if broadcast else {}),
    )


def message_key(value: object) -> MessageKey:
    """Read an id: text, or ``{fromMe, remote, id, participant?, _serialized}``; numbers become text."""
    if value is None:
        return _NO_KEY
    if not isinstance(value, dict):
        text = identifier(value)
        parts = text.split("_", 3)
        if len(parts) < 3 or parts[0] not in {"true", "false"}:
            return MessageKey(id=text)
        participant = parts[3] if len(parts) > 3 else ""
        return MessageKey(id=text, remote=parts[1], participant=participant, from_me=parts[0] == "true")
    remote, participant = wid(value.get("remote")), wid(value.get("participant"))
    from_me = value.get("fromMe")
    from_me = from_me if isinstance(from_me, bool) else None
    text = identifier(value.get("_serialized"))
    if not text and (bare := identifier(value.get("id"))):
        parts = ["true" if from_me else "false", remote, bare, *([participant] if participant else [])]
        text = identifier("_".join(parts))
    return MessageKey(id=text, remote=remote, participant=participant, from_me=from_me)


def wid(value: object) -> str:
    """A WhatsApp id as text: it may be text, a bare number, or ``{server, user, _serialized}``; '' for all else."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        text = first_text(value, "_serialized")
        user, server = first_text(value, "user"), first_text(value, "server")
        return text or (f"{user}@{server}" if user and server else user)
    number = whole(value)
    return "" if number is None else str(number)


def _wid(message: dict[str, Any], data: dict[str, Any], field: str) -> str:
    return wid(message.get(field)) or wid(data.get(field))


def _from_me(message: dict[str, Any], data: dict[str, Any], key: MessageKey, from_our_number: bool) -> bool:
    for said in (message.get("fromMe"), key.from_me, mapping(data.get("id")).get("fromMe")):
        if isinstance(said, bool):
            return said
    return from_our_number


def _chat(
    message: dict[str, Any], key: MessageKey, sender: str, recipient: str, author: str, *, from_me: bool
) -> tuple[str, str]:
    """The group or the stories when one is involved, else the other side; and that side's broadcast list, or ''."""
    sides = (chat_key(key.remote), sender, recipient)
    if message.get("isStatus") is True or STATUS in sides:
        return STATUS, ""
    if group := next((side for side in sides if is_group(side)), ""):
        return group, ""
    other = recipient if from_me else sender
    lists = next((side for side in sides if is_broadcast_list(side)), "")
    if lists and not from_me:
        # On the phone it stands in the chat with whoever has the list.
        people = (each for each in (author, sender) if each and not each.endswith("@broadcast"))
        return next(people, other), lists
    return other or chat_key(key.remote) or chat_key(wid(message.get("chatId"))), ""


def _contact_name(message: dict[str, Any], data: dict[str, Any]) -> str | None:
    contact = mapping(message.get("contact"))
    return (
        first_text(message, "notifyName", "pushname", "pushName", "senderName")
        or first_text(data, "notifyName", "pushname")
        or first_text(contact, "name", "pushname", "pushName")
        or None
    )


def _reply_to(message: dict[str, Any], data: dict[str, Any], key: MessageKey, phone: str) -> str | None:
    """The quoted message's id in the form of this one's."""
    quoted = _quoted_id(message, data)
    writer = chat_key(_wid(message, data, "quotedParticipant"))
    if not quoted or bare_id(quoted) != quoted or bare_id(key.id) == key.id or not writer:
        return quoted
    chat = chat_key(key.remote)
    if is_group(chat):
        own = bool(phone) and digits_of(writer) == phone
        return f"{'true' if own else 'false'}_{key.remote}_{quoted}_{writer}"
    if writer.rpartition("@")[2] != chat.rpartition("@")[2]:
        return quoted  # by LID and by number: whose is whose is not told
    return f"{'false' if writer == chat else 'true'}_{key.remote}_{quoted}"


def _quoted_id(message: dict[str, Any], data: dict[str, Any]) -> str | None:
    for source in (message, data):
        for field in ("quotedMsgId", "quotedMessageId", "quotedStanzaID"):
            quoted = message_key(source.get(field)).id
            if quoted:
                return quoted
    return message_key(mapping(message.get("quotedMsg")).get("id")).id or None


def _extra(message: dict[str, Any], data: dict[str, Any], kind_of: str, told: RawContent) -> dict[str, Any]:
    extra: dict[str, Any] = dict(told.details)
    if told.notice:
        extra |= {"notice": told.notice, "event": "message", "data": shortened(message)}
    if quoted := _quoted(message, data):
        extra["quoted"] = quoted
    if kind_of == "location":
        extra["location"] = _location(message, data)
    if kind_of == "contacts":
        cards = message.get("vCards")
        cards = [card for card in cards if isinstance(card, str)] if isinstance(cards, list) else []
        cards = cards or [card for card in (first_text(message, "body"),) if card]
        extra |= {"vcards": cards, "contacts": [card_of(card) for card in cards]}
    return extra


def _quoted(message: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """What it answers, as far as the engine tells: the writer, the words."""
    quoted = mapping(message.get("quotedMsg")) or mapping(data.get("quotedMsg"))
    told = told_of(quoted, {}) if quoted else NOTHING
    writer = chat_key(_wid(message, data, "quotedParticipant"))
    words = content_of(quoted, {}, type_of(quoted, told), told) if quoted else ""
    return {name: text for name, text in (("sender", writer), ("content", shortened(words))) if text}


def _location(message: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    place = mapping(message.get("location"))
    described = mapping(place.get("description"))
    location: dict[str, Any] = {}
    for name, short in (("latitude", "lat"), ("longitude", "lng")):
        if (at := degrees(place.get(name, data.get(short, message.get(short))))) is not None:
            location[name] = at
    for name in ("name", "address", "url"):
        if text := first_text(place, name) or first_text(described, name):
            location[name] = text
    return location
