"""What a session engine's message carries: its type, its text, its file."""

from __future__ import annotations

import re
from typing import Any

from wagate.events import Media
from wagate.parsing.fields import first_text, identifier, mapping, whole
from wagate.parsing.protobuf import read_protobuf
from wagate.parsing.raw_content import NOTHING, RawContent
from wagate.parsing.webmodel import read_model

_FILES = frozenset({"image", "video", "audio", "voice", "document", "sticker"})
_NO_TEXT = frozenset({"location", "contacts", "revoked"})
"""Their body is a thumbnail, a card, or nothing."""
# JPEG, PNG, WebP, GIF, PDF as base64 begins, and long runs of nothing but base64's letters.
_BASE64 = re.compile(
    r"data:[\w/+.-]+;base64,|/9j/|iVBORw0KGgo|UklGR|R0lGOD|JVBERi0|[A-Za-z0-9+/]{64}[A-Za-z0-9+/=]*\s*$"
)
_PLACES = ("messageMedia", "media", "file")


def told_of(message: dict[str, Any], data: dict[str, Any]) -> RawContent:
    """What the engine's own data tells: WhatsApp Web's model, or the protocol's message where an engine has that."""
    for source in (data, message):
        for field in ("Message", "message"):
            if isinstance(inner := source.get(field), dict) and (found := read_protobuf(inner)) != NOTHING:
                return found
    return read_model(message, data)


def type_of(message: dict[str, Any], told: RawContent) -> str:
    """Our word for the message's type; without one, its file or place tells, else it is text."""
    if told.type:
        return told.type
    mimetype = first_text(_file(message, {}), "mimetype") or first_text(message, "mimetype")
    if mimetype:
        family = mimetype.partition("/")[0].lower()
        return family if family in _FILES else "document"
    if message.get("hasMedia") is True:
        return "document"
    return "location" if isinstance(message.get("location"), dict) else "text"


def content_of(message: dict[str, Any], data: dict[str, Any], kind_of: str, told: RawContent) -> str:
    """The text; for a file its caption. A thumbnail or file in base64 is never text."""
    if kind_of in _NO_TEXT:
        return ""
    body = first_text(message, "body", "text")
    if kind_of in _FILES:
        # The class puts the caption into body; the bare data has the thumbnail there and the caption beside it.
        caption = first_text(message, "caption") or first_text(data, "caption")
        return caption or ("" if is_base64(body) else body)
    if kind_of != "text" and told.text:
        return told.text
    return body or first_text(message, "caption") or first_text(data, "body", "caption") or told.text


def is_base64(text: str) -> bool:
    """Whether a file's body is a picture or file in base64, and no caption. Looks at its beginning only."""
    return _BASE64.match(text[:256]) is not None


def media_of(
    message: dict[str, Any], data: dict[str, Any], kind_of: str, files: dict[str, Any], told: RawContent
) -> Media | None:
    """The file that came with it, by reference; None when there is none.

    A file sent along in base64 stays in the raw body (`inline_file` says where); its size is told here.
    """
    file = _file(message, files)
    if told.details.get("view_once") and message.get("hasMedia") is not True and not file:
        return None  # linked devices don't get what is shown once
    if told.notice or (kind_of not in _FILES and message.get("hasMedia") is not True and not file):
        return None
    size = next((size for source in (file, message, data) if (size := _size(source)) is not None), None)
    if size is None and isinstance(inline := file.get("data"), str):
        size = len(inline) * 3 // 4 - inline[-2:].count("=")
    return Media(
        mimetype=first_text(file, "mimetype") or first_text(message, "mimetype") or first_text(data, "mimetype"),
        filename=first_text(file, "filename")
        or first_text(message, "filename")
        or first_text(data, "filename")
        or None,
        url=first_text(file, "url") or first_text(message, "mediaUrl", "url") or None,
        provider_id=identifier(file.get("id")) or None,
        size=size,
        caption=content_of(message, data, kind_of, told) or None if kind_of in _FILES else None,
    )


def inline_file(data: dict[str, Any]) -> str | None:
    """Where in the envelope's ``data`` a file stands in base64: ``messageMedia``, ``message.media`` …, or None."""
    for prefix, source in (("", data), ("message.", mapping(data.get("message")))):
        for place in _PLACES:
            if first_text(mapping(source.get(place)), "data"):
                return prefix + place
    return None


def _file(message: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
    for source in (message, files):
        for place in _PLACES:
            found = source.get(place)
            if isinstance(found, dict) and found:
                return found
    return {}


def _size(source: dict[str, Any]) -> int | None:
    for field in ("filesize", "size", "fileSize"):
        size = whole(source.get(field))
        if size is not None and size >= 0:
            return size
    return None
