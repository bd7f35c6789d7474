"""What a message carries: its type, its text, its file. WAHA's payload names no type; the engine's own data does."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.events import Media
from wagate.parsing.fields import first_text, mapping, shortened, whole
from wagate.parsing.vcards import card_of

_FILES = frozenset({"image", "video", "audio", "voice", "document", "sticker"})
_NO_TEXT = frozenset({"location", "contacts"})
"""Their body is a thumbnail, a card, or nothing."""
# WhatsApp's protobuf Message (GOWS: _data.Message, NOWEB: _data.message).
_FIELDS = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "lottieStickerMessage": "sticker",
    "locationMessage": "location",
    "liveLocationMessage": "location",
    "contactMessage": "contacts",
    "contactsArrayMessage": "contacts",
    "pollCreationMessage": "poll",
    "pollCreationMessageV2": "poll",
    "pollCreationMessageV3": "poll",
    "orderMessage": "order",
    "productMessage": "order",
    "listMessage": "interactive",
    "listResponseMessage": "interactive",
    "buttonsMessage": "interactive",
    "buttonsResponseMessage": "interactive",
    "templateButtonReplyMessage": "interactive",
    "interactiveMessage": "interactive",
    "interactiveResponseMessage": "interactive",
}
_WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "groupMentionedMessage",
    "botInvokeMessage",
)
_DEEPEST = 4
# whatsapp-web.js, MessageTypes (WEBJS: _data.type).
_WEB_TYPES = {
    "chat": "text",
    "image": "image",
    "video": "video",
    "ptv": "video",
    "gif": "video",
    "audio": "audio",
    "ptt": "voice",
    "document": "document",
    "sticker": "sticker",
    "location": "location",
    "vcard": "contacts",
    "multi_vcard": "contacts",
    "order": "order",
    "product": "order",
    "poll_creation": "poll",
    "list": "interactive",
    "list_response": "interactive",
    "buttons_response": "interactive",
    "template_button_reply": "interactive",
    "interactive": "interactive",
}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a message carries."""

    type: str
    """One of our words."""
    text: str
    """Text, else caption, else ''."""
    media: Media | None
    """Its file; ``provider_id`` is the message's id, by which WAHA fetches it again."""
    extra: dict[str, Any]
    """``location``, ``vcards`` and the same as ``contacts`` in Meta's form, ``media_error``."""


def content_of(payload: dict[str, Any], message_id: str) -> Content:
    """Read a message's payload."""
    data = mapping(payload.get("_data"))
    field, part = _proto(data)
    kind = _type(payload, data, field, part)
    body = first_text(payload, "body")
    text = "" if kind in _NO_TEXT else body
    media = _media(payload, part, kind, message_id)
    extra: dict[str, Any] = {}
    if kind == "location":
        extra["location"] = _location(mapping(payload.get("location")), part)
    cards = _cards(payload)
    if cards:
        extra |= {"vcards": cards, "contacts": [card_of(card) for card in cards]}
    if media and (failed := mapping(payload.get("media")).get("error")):
        extra["media_error"] = shortened(failed)
    return Content(type=kind, text=text, media=media, extra=extra)


def _proto(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The protobuf field that holds the message, and what is in it; ('', {}) when there is none."""
    message = mapping(data.get("Message")) or mapping(data.get("message"))
    for _ in range(_DEEPEST):
        inner = next((mapping(mapping(message.get(name)).get("message")) for name in _WRAPPERS if name in message), {})
        if not inner:
            break
        message = inner
    field = next((name for name in message if name in _FIELDS), "")
    return field, mapping(message.get(field))


def _type(payload: dict[str, Any], data: dict[str, Any], field: str, part: dict[str, Any]) -> str:
    stated = _FIELDS.get(field) or _WEB_TYPES.get(first_text(data, "type"))
    if stated == "audio" and (part.get("ptt") is True or part.get("PTT") is True):
        return "voice"
    if stated:
        return stated
    mimetype = first_text(mapping(payload.get("media")), "mimetype").lower()
    if mimetype:
        return _type_of_file(mimetype)
    if mapping(payload.get("location")):
        return "location"
    if _cards(payload):
        return "contacts"
    return "document" if payload.get("hasMedia") is True else "text"


def _type_of_file(mimetype: str) -> str:
    if mimetype == "image/webp":
        return "sticker"
    if mimetype.startswith("audio/ogg"):
        return "voice"  # WhatsApp's own recordings are Opus in Ogg; WAHA does not say which sound is one.
    family = mimetype.partition("/")[0]
    return family if family in _FILES else "document"


def _media(payload: dict[str, Any], part: dict[str, Any], kind: str, message_id: str) -> Media | None:
    file = mapping(payload.get("media"))
    if not file and payload.get("hasMedia") is not True and kind not in _FILES:
        return None
    return Media(
        mimetype=first_text(file, "mimetype") or first_text(part, "mimetype"),
        filename=first_text(file, "filename") or first_text(part, "fileName") or None,
        url=first_text(file, "url") or first_text(payload, "mediaUrl") or None,
        provider_id=message_id or None,
        size=_size(part.get("fileLength")),
        caption=first_text(payload, "body") or None,
    )


def _size(value: object) -> int | None:
    size = whole(value)
    return size if size is not None and size >= 0 else None


def _cards(payload: dict[str, Any]) -> list[str]:
    cards = payload.get("vCards")
    return [card for card in cards if isinstance(card, str)] if isinstance(cards, list) else []


def _location(place: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    location: dict[str, Any] = {}
    for name, proto in (("latitude", "degreesLatitude"), ("longitude", "degreesLongitude")):
        degrees = _number(place.get(name))
        degrees = _number(part.get(proto)) if degrees is None else degrees
        if degrees is not None:
            location[name] = degrees
    for name in ("name", "address", "url"):
        if text := first_text(place, name, *(("description",) if name == "name" else ())) or first_text(part, name):
            location[name] = text
    return location


def _number(value: object) -> float | int | None:
    """Degrees; some engines write them as text."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) < 40 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 180:
        return None
    return value
