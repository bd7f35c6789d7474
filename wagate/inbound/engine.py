"""The engine's own format, ``POST /webhook/inbound``: one JSON object is one message (spec/003, section 2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from wagate.errors import BadRequestError, FieldError, UnprocessableError
from wagate.events import Media, NewEvent, kinds
from wagate.inbound.engine_content import READERS, told_of
from wagate.parsing.chats import USER, chat_key
from wagate.parsing.fields import first_text, identifier, instant, mapping, whole
from wagate.parsing.protobuf import any_text
from wagate.parsing.raw_content import RawContent, loose
from wagate.parsing.webmodel import notice_of

MEDIA_TYPES = ("image", "video", "audio", "voice", "document", "sticker")
OTHER_TYPES = ("reaction", "template", *READERS)


class EngineMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the engine's format."""

    tenant_id: str | None
    """Slug of the client it is for; None: the token says."""
    to: str | None
    """Canonical key (``<digits>@c.us``) of the number on our side; None: the tenant's default account."""
    event: NewEvent
    """What happened. ``extra["message"]`` is the ``message`` object as it came, when it was one."""


def parse_engine(document: object) -> EngineMessage:
    """Make a message of a body's JSON. ``from`` and ``message`` are needed; fields not known here stay in the raw body.

    Raises:
        BadRequestError: something is missing or of the wrong type; ``errors`` names all that is wrong, values included.
        UnprocessableError: all is there, but a value can't be used.
    """
    if not isinstance(document, dict):
        raise BadRequestError("the body must be a JSON object", field="")
    form = _Form(document)
    sender = chat_key(form.text("from", needed=True))
    message = form.message()
    to = form.phone("to")
    timestamp = form.moment("timestamp")
    tenant_id, message_id = form.text("tenant_id"), form.text("message_id")
    contact_name, quoted = form.text("contact_name"), form.text("reply_to_message_id")
    form.finish()
    event = NewEvent(
        kind=kinds.MESSAGE,
        provider_id=identifier(message_id),
        message_id=identifier(message_id),
        chat=sender,
        sender=sender,
        recipient=to,
        timestamp=timestamp,
        contact_name=contact_name or None,
        reply_to=identifier(quoted) or None,
    )
    return EngineMessage(tenant_id=tenant_id or None, to=to or None, event=_with_message(event, message))


class _Form:
    """Reads fields one by one and gathers what is wrong with them."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._mistyped: list[FieldError] = []
        self._unusable: list[FieldError] = []

    def text(self, field: str, *, needed: bool = False) -> str:
        value = self._document.get(field)
        if value is None and not needed:
            return ""
        if value is None:
            self._mistyped.append(FieldError(field=field, detail=f"{field} is required"))
        elif not isinstance(value, str):
            self._mistyped.append(FieldError(field=field, detail=f"{field} must be a string"))
        elif needed and not value.strip():
            self._unusable.append(FieldError(field=field, detail=f"{field} must not be empty"))
        return value if isinstance(value, str) else ""

    def message(self) -> str | dict[str, Any]:
        value = self._document.get("message")
        if isinstance(value, str) or (isinstance(value, dict) and value):
            text = value.get("text") if isinstance(value, dict) else value
            if text is not None and not isinstance(text, str | dict):
                self._mistyped.append(FieldError(field="message.text", detail="message.text must be a string"))
            return value
        detail = 'message is required: a string, or an object like {"text": "…"} or {"image": {"url": "…"}}'
        self._mistyped.append(FieldError(field="message", detail=detail))
        return ""

    def phone(self, field: str) -> str:
        value = self.text(field)
        key = chat_key(value)
        if key and not key.endswith(f"@{USER}"):
            detail = f"{field} must be a phone number, like +1987654321"
            self._unusable.append(FieldError(field=field, detail=detail))
        return key

    def moment(self, field: str) -> datetime | None:
        value = self._document.get(field)
        if value is None:
            return None
        moment = instant(value)
        if moment is None:
            detail = f"{field} must be ISO 8601, like 2025-09-10T10:30:00Z, or Unix seconds or milliseconds"
            self._unusable.append(FieldError(field=field, detail=detail))
        return moment

    def finish(self) -> None:
        """Raise all that was wrong as one error."""
        errors = (*self._mistyped, *self._unusable)
        if not errors:
            return
        detail = "; ".join(error.detail for error in errors)
        if self._mistyped:
            raise BadRequestError(detail, errors=errors)
        raise UnprocessableError(detail, errors=errors)


def _with_message(event: NewEvent, message: str | dict[str, Any]) -> NewEvent:
    if isinstance(message, str):
        return msgspec.structs.replace(event, type="text", content=message)
    stated = first_text(message, "type")
    if stated not in OTHER_TYPES and (notice := notice_of(stated)):
        extra = {"message": message, "notice": notice}
        return msgspec.structs.replace(event, kind=kinds.UNKNOWN, dedupe_kind="notice", type="unknown", extra=extra)
    kind_of = _type(message)
    part = _part(message, kind_of)
    told = told_of(kind_of, message.get(kind_of, message)) if kind_of != "unknown" else _not_known(message, stated)
    quoted = first_text(message, "reply_to_message_id", "reply_to") or first_text(mapping(message.get("context")), "id")
    event = msgspec.structs.replace(
        event,
        type=kind_of,
        content=_content(message, part, told),
        media=_media(part) if kind_of in MEDIA_TYPES else None,
        reply_to=event.reply_to or identifier(quoted) or None,
        extra={**told.details, **_marks(message), "message": message},
    )
    return _reaction(event, part) if kind_of == "reaction" else event


def _not_known(message: dict[str, Any], stated: str) -> RawContent:
    """A type that we don't know: its name, and its words as far as they stand where words usually do."""
    inside = mapping(message.get(stated))
    return RawContent(type="unknown", text=any_text(loose(inside)), details={"type": stated} if stated else {})


def _reaction(event: NewEvent, part: dict[str, Any]) -> NewEvent:
    """A reaction is about another message; an empty emoji takes it back."""
    emoji = first_text(part, "emoji", "text")
    about = identifier(first_text(part, "message_id", "messageId"))
    return msgspec.structs.replace(
        event,
        kind=kinds.MESSAGE_REACTION,
        content=emoji,
        message_id=about,
        variant=f"{emoji}{event.timestamp.isoformat() if event.timestamp else ''}",
        extra={**event.extra, "reaction": {"text": emoji, "messageId": about}},
    )


def _type(message: dict[str, Any]) -> str:
    """The type it states, else the first key that is a type; text counts last: it may stand beside a file."""
    stated = message.get("type")
    if stated == "text" or stated in MEDIA_TYPES or stated in OTHER_TYPES:
        return str(stated)
    for name in (*MEDIA_TYPES, *OTHER_TYPES):
        if message.get(name):
            return name
    return "text" if isinstance(message.get("text"), str | dict) else "unknown"


def _part(message: dict[str, Any], kind_of: str) -> dict[str, Any]:
    """``message.image`` when it is an object; a bare string there is the URL; else the message is flat."""
    part = message.get(kind_of)
    if isinstance(part, dict):
        return part
    if isinstance(part, str) and kind_of in MEDIA_TYPES:
        return {**message, "url": part}
    return message


def _marks(message: dict[str, Any]) -> dict[str, Any]:
    """Forwarded, to be seen once, from an ad."""
    flags = {name: True for name in ("forwarded", "view_once") if message.get(name) is True}
    return flags | ({"referral": referral} if (referral := mapping(message.get("referral"))) else {})


def _content(message: dict[str, Any], part: dict[str, Any], told: RawContent) -> str:
    if told.text:
        return told.text
    text = message.get("text")
    if isinstance(text, dict):
        text = first_text(text, "body", "text")
    return text if isinstance(text, str) and text else first_text(part, "text", "body", "caption", "title")


def _media(part: dict[str, Any]) -> Media:
    return Media(
        mimetype=first_text(part, "mimetype", "mime_type", "content_type"),
        filename=first_text(part, "filename", "file_name") or None,
        url=first_text(part, "url", "link") or None,
        provider_id=identifier(part.get("id")) or None,
        size=whole(part.get("size", part.get("file_size"))),
        caption=first_text(part, "caption") or None,
    )
