"""From a checked body to the message that is sent. Pure."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any, TypeAlias

import msgspec

from wagate.errors import UnprocessableError
from wagate.hooks.messages import (
    MEDIA_TYPES,
    MESSAGE_TYPES,
    OutLocation,
    OutMedia,
    OutMessage,
    OutPoll,
    OutPreview,
    OutReaction,
)
from wagate.http.errors import BadUrlError
from wagate.http.url import check_url
from wagate.parsing.chats import OPAQUE, USER, chat_key
from wagate.parsing.jsonbody import MAX_DEPTH
from wagate.web.messages.body import FileContent, MessageContent, PreviewContent, TextContent

LARGEST_METADATA = 16 * 1024
EVERYONE = "all"
"""Mentions all of a group."""
_DIGITS = re.compile(r"[0-9]{5,15}")
_JPEG = b"\xff\xd8\xff"
_BLANKS = b" \t\r\n"
_DATA_URI = re.compile(r"data:(?P<mimetype>[^;,]*+)(?:;[^,]*+)?+,")


Place: TypeAlias = "tuple[Place | None, str]"
"""What a value is inside of, and its name there."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose file, if it came in the body, is not kept yet."""

    message: OutMessage
    file: bytes = b""
    """What ``message.media`` stands for, when it came in the body."""
    link_at: str = ""
    """The body's field that says which file it is."""


def read_draft(chat: str, given: str | MessageContent, *, reply_to: str = "") -> Draft:
    """The message that a body's ``message`` asks for. UnprocessableError names the field."""
    if isinstance(given, str):
        return Draft(message=OutMessage(chat=chat, type="text", text=not_blank(given, "message"), reply_to=reply_to))
    kind = _type(given)
    content, field = getattr(given, kind), f"message.{kind}"
    file, link_at = b"", ""
    if kind in MEDIA_TYPES:
        content = FileContent(link=content) if isinstance(content, str) else content
        media, file = read_file(content, field)
        link_at = _named_at(content, field)
        parts: dict[str, Any] = {"media": media, "text": content.caption}
    else:
        parts = _PARTS[kind](content, field)
    mentions = tuple(each if each == EVERYONE else read_chat(each, "message.mentions") for each in given.mentions)
    message = OutMessage(chat=chat, type=kind, reply_to=reply_to, mentions=mentions, **parts)
    return Draft(message=message, file=file, link_at=link_at)


def read_chat(to: str, field: str) -> str:
    """The key of the chat that ``to`` names. UnprocessableError when it can't be one."""
    key = chat_key(to)
    local, _, domain = key.rpartition("@")
    readable = bool(local) and key.isprintable() and not {" ", "@"} & set(local)
    if domain == USER:
        readable = readable and _DIGITS.fullmatch(local) is not None
    elif domain == OPAQUE:
        # Whatever is no number becomes an opaque id: one has to say that it means one.
        readable = readable and to.strip().endswith(f"@{OPAQUE}")
    if not readable:
        detail = f"{field} must be a phone number like +1234567890, or a chat like 1234567890@c.us or 1203630@g.us"
        raise UnprocessableError(detail, field=field)
    return key


def read_file(content: FileContent, field: str) -> tuple[OutMedia, bytes]:
    """Where the file is, and its bytes when they came in the body. UnprocessableError."""
    url = content.link or content.url
    named = [each for each in (url, content.id, content.data) if each]
    if len(named) != 1 or (content.link and content.url and content.link != content.url):
        raise UnprocessableError(f"{field} needs one of link, url, id, data", field=field)
    mimetype = content.mimetype or content.mime_type
    if content.data:
        uri = _DATA_URI.match(content.data)
        mimetype = mimetype or (uri["mimetype"] if uri else "")
        return OutMedia(mimetype=mimetype, filename=content.filename), _decoded(content.data, field)
    if url:
        _check_url(url, _named_at(content, field))
    return OutMedia(url=url, media_id=content.id, mimetype=mimetype, filename=content.filename), b""


def _named_at(content: FileContent, field: str) -> str:
    """Where the body says which file it is."""
    named = (name for name in ("link", "id", "data") if getattr(content, name))
    return f"{field}.{next(named, 'url')}"


def check_storable(value: Any, field: str) -> None:
    """Refuse what can't be stored or sent on: the character NUL, endless numbers, deep nesting. UnprocessableError."""
    level: list[tuple[Place, Any]] = [((None, field), value)]
    for _ in range(MAX_DEPTH):
        below: list[tuple[Place, Any]] = []
        for place, item in level:
            if isinstance(item, str) and "\x00" in item:
                raise UnprocessableError("a text must not hold the character U+0000", field=_written(place))
            if isinstance(item, float) and not math.isfinite(item):
                raise UnprocessableError("the number is too large", field=_written(place))
            if isinstance(item, dict):
                below += [(place, key) for key in item] + [((place, f".{key}"), item[key]) for key in item]
            elif isinstance(item, list | tuple):
                below += [((place, f"[{index}]"), each) for index, each in enumerate(item)]
        if not below:
            return
        level = below
    field = _written(level[0][0]).split(".")[0]
    raise UnprocessableError(f"the JSON is nested deeper than {MAX_DEPTH} levels", field=field)


def _written(place: Place) -> str:
    """``message.contacts[0].name``. Made only when it is needed: a long key would stand in each path below it."""
    at: Place | None = place
    parts: list[str] = []
    while at is not None:
        at, part = at
        parts.append(part[:100])
    return "".join(reversed(parts)).lstrip(".")


def check_metadata(metadata: dict[str, Any]) -> None:
    """UnprocessableError when it is too large."""
    if len(msgspec.json.encode(metadata)) > LARGEST_METADATA:
        raise UnprocessableError("metadata is over 16 KiB", field="metadata")


def _type(given: MessageContent) -> str:
    """The one type that is there."""
    there = [name for name in MESSAGE_TYPES if getattr(given, name) is not None]
    stated = given.type
    if len(there) != 1 or stated not in {None, *there}:
        wanted = stated if stated in MESSAGE_TYPES else f"one of {', '.join(MESSAGE_TYPES)}"
        found = f"; it has {', '.join(there)}" if there else ""
        raise UnprocessableError(f"message needs exactly {wanted}{found}", field="message")
    return there[0]


def not_blank(text: str, field: str) -> str:
    """The text. UnprocessableError when nothing can be seen of it."""
    if not text.strip():
        raise UnprocessableError(f"{field} must not be empty", field=field)
    return text


def _read_text(content: str | TextContent, field: str) -> dict[str, Any]:
    if isinstance(content, str):
        return {"text": not_blank(content, field)}
    text = not_blank(content.body, f"{field}.body")
    preview = _read_preview(content.preview, text, f"{field}.preview") if content.preview is not None else None
    return {"text": text, "preview_url": content.preview_url, "preview": preview}


def _read_preview(content: PreviewContent, text: str, field: str) -> OutPreview:
    if content.url not in text:
        raise UnprocessableError("the text must hold the preview's url as it is written here", field=f"{field}.url")
    if content.thumbnail and not _decoded(content.thumbnail, field, "thumbnail").startswith(_JPEG):
        raise UnprocessableError("the thumbnail must be a JPEG", field=f"{field}.thumbnail")
    return msgspec.convert(content, OutPreview, from_attributes=True)


def _read_template(content: dict[str, Any], field: str) -> dict[str, Any]:
    language, components = content.get("language"), content.get("components", [])
    if not isinstance(content.get("name", ""), str):
        raise UnprocessableError("name must be a string", field=f"{field}.name")
    if not isinstance(components, list):
        raise UnprocessableError("components must be a list", field=f"{field}.components")
    if isinstance(language, str):
        content = {**content, "language": {"code": language}}
    elif language is not None and not (isinstance(language, dict) and isinstance(language.get("code"), str)):
        raise UnprocessableError('language must be like "en_US", or {"code": "en_US"}', field=f"{field}.language")
    return {"template": content}


def _read_interactive(content: dict[str, Any], field: str) -> dict[str, Any]:
    if not isinstance(content.get("type"), str):
        raise UnprocessableError("type must say what it is: button, list, cta_url …", field=f"{field}.type")
    return {"interactive": content}


_PARTS: dict[str, Any] = {
    "text": _read_text,
    "location": lambda content, _: {"location": msgspec.convert(content, OutLocation, from_attributes=True)},
    "contacts": lambda content, _: {"contacts": tuple(content)},
    "poll": lambda content, _: {"poll": msgspec.convert(content, OutPoll, from_attributes=True)},
    "reaction": lambda content, _: {"reaction": msgspec.convert(content, OutReaction, from_attributes=True)},
    "template": _read_template,
    "interactive": _read_interactive,
}


def _check_url(url: str, field: str) -> None:
    try:
        check_url(url, allow_http=True)
    except BadUrlError as error:
        raise UnprocessableError(str(error), field=field) from error


def _decoded(data: str, field: str, name: str = "data") -> bytes:
    uri = _DATA_URI.match(data)
    try:
        plain = data[uri.end() if uri else 0 :].encode("ascii").translate(None, _BLANKS)
        found = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnprocessableError(f"{name} must be base64", field=f"{field}.{name}") from error
    if not found:
        raise UnprocessableError(f"{name} is empty", field=f"{field}.{name}")
    return found
