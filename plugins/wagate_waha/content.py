"""What a message carries: its type, its text, its file. WAHA's payload names no type; the engine's own data does."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.events import Media
from wagate.parsing.fields import degrees, first_text, identifier, mapping, shortened
from wagate.parsing.protobuf import read_protobuf
from wagate.parsing.raw_content import NOTHING, RawContent, number, objects
from wagate.parsing.vcards import card_of
from wagate.parsing.webmodel import read_model

_FILES = frozenset({"image", "video", "audio", "voice", "document", "sticker"})
_NO_TEXT = frozenset({"location", "contacts"})
"""Their body is a thumbnail, a card, or nothing."""
_FLAGS = ("IsViewOnce", "IsViewOnceV2", "IsViewOnceV2Extension")
"""Of whatsmeow, which takes the wrapper off."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a message carries."""

    type: str
    """One of our words."""
    text: str
    """Text, else caption, else ''."""
    media: Media | None
    """Its file; ``provider_id`` is the message's id, by which WAHA fetches it again."""
    extra: dict[str, Any]
    """``location``, ``vcards``, the same as ``contacts`` in Meta's form, ``media_error``, and what `RawContent` has."""
    notice: str = ""
    """The engine's word for what is no message; '' for messages."""


def content_of(payload: dict[str, Any], message_id: str) -> Content:
    """Read a message's payload."""
    data = mapping(payload.get("_data"))
    told = _told(data)
    kind = _type(payload, told)
    extra: dict[str, Any] = dict(told.details)
    if kind == "location":
        extra["location"] = _location(mapping(payload.get("location")), told.part)
    cards = _cards(payload) or _own_cards(told.part)
    if cards:
        extra |= {"vcards": cards, "contacts": [card_of(card) for card in cards]}
    media = _media(payload, told, kind, message_id)
    if media and (failed := mapping(payload.get("media")).get("error")):
        extra["media_error"] = shortened(failed)
    if media and not media.url and extra.get("view_once"):
        media = None  # linked devices don't get what is shown once
    text = _beside(told) if kind in _NO_TEXT else _text(payload, told)
    return Content(type=kind, text=text, media=media, extra=extra, notice=told.notice)


def _told(data: dict[str, Any]) -> RawContent:
    """GOWS: ``_data.Message``; NOWEB: ``_data.message``; WEBJS: ``_data`` itself."""
    message = data.get("Message") or data.get("message")
    told = read_protobuf(message) if isinstance(message, dict) else NOTHING
    if told == NOTHING and data.get("messageStubType") not in (None, "", 0):
        told = RawContent(type="unknown", notice=identifier(data["messageStubType"]).lower())
    if told == NOTHING:
        told = read_model({}, data)
    if any(data.get(flag) is True for flag in _FLAGS):
        told = replace(told, details=told.details | {"view_once": True})
    return told


def _text(payload: dict[str, Any], told: RawContent) -> str:
    """What was written stands in the body; of polls, replies and the like all words are in the engine's data alone."""
    body = first_text(payload, "body")
    return (told.text or body) if told.type not in {"", "text", *_FILES} else (body or told.text)


def _beside(told: RawContent) -> str:
    """What was written along with a place."""
    return first_text(told.part, "caption", "comment") if told.type == "location" else ""


def _type(payload: dict[str, Any], told: RawContent) -> str:
    if told.notice or told.type not in {"", "unknown"}:
        return told.type
    mimetype = first_text(mapping(payload.get("media")), "mimetype").lower()
    if mimetype:
        return _type_of_file(mimetype)
    if mapping(payload.get("location")):
        return "location"
    if _cards(payload):
        return "contacts"
    return "document" if payload.get("hasMedia") is True else told.type or "text"


def _type_of_file(mimetype: str) -> str:
    if mimetype == "image/webp":
        return "sticker"
    if mimetype.startswith("audio/ogg"):
        return "voice"  # WhatsApp's own recordings are Opus in Ogg; WAHA does not say which sound is one.
    family = mimetype.partition("/")[0]
    return family if family in _FILES else "document"


def _media(payload: dict[str, Any], told: RawContent, kind: str, message_id: str) -> Media | None:
    file, part = mapping(payload.get("media")), told.part
    if told.notice or (not file and payload.get("hasMedia") is not True and kind not in _FILES):
        return None
    return Media(
        mimetype=first_text(file, "mimetype") or first_text(part, "mimetype"),
        filename=first_text(file, "filename") or first_text(part, "filename") or None,
        url=first_text(file, "url") or first_text(payload, "mediaUrl") or None,
        provider_id=message_id or None,
        size=_size(part.get("filelength")),
        caption=_text(payload, told) or None,
    )


def _size(value: object) -> int | None:
    size = number(value)
    return size if size is not None and size >= 0 else None


def _cards(payload: dict[str, Any]) -> list[str]:
    cards = payload.get("vCards")
    return [card for card in cards if isinstance(card, str)] if isinstance(cards, list) else []


def _own_cards(part: dict[str, Any]) -> list[str]:
    """Cards that stand in the engine's data alone."""
    found = [first_text(each, "vcard") for each in objects(part.get("contacts"))] or [first_text(part, "vcard")]
    return [card for card in found if card]


def _location(place: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    location: dict[str, Any] = {}
    for name, proto in (("latitude", "degreeslatitude"), ("longitude", "degreeslongitude")):
        at = degrees(place.get(name))
        at = degrees(part.get(proto)) if at is None else at
        if at is not None:
            location[name] = at
    for name in ("name", "address", "url"):
        if text := first_text(place, name, *(("description",) if name == "name" else ())) or first_text(part, name):
            location[name] = text
    return location
