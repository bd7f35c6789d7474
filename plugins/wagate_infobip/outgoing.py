"""A message of ours → where Infobip takes it, and the JSON it wants there. Pure.

Source: Infobip's OpenAPI document 3.210.0, WhatsApp, outbound messages.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from wagate.errors import SendRefusedError
from wagate.hooks import MEDIA_TYPES, Outgoing, OutMessage
from wagate.parsing.chats import OPAQUE, USER, digits_of
from wagate.parsing.fields import first_text
from wagate.parsing.vcards import card_of
from wagate_infobip.fields import camel, objects
from wagate_infobip.interactive import interactive_content, name_in
from wagate_infobip.lengths import check_lengths
from wagate_infobip.settings import sender_of, settings_of, tokens_of
from wagate_infobip.templates import template_content

_FOLDERS = {"voice": "audio", "contacts": "contact"}
"""Where a type's path differs from our word."""
_HOME_OR_WORK = frozenset({"HOME", "WORK"})
_TYPES = {
    "phones": _HOME_OR_WORK | {"CELL", "MAIN", "IPHONE"},
    "emails": _HOME_OR_WORK,
    "urls": _HOME_OR_WORK,
    "addresses": _HOME_OR_WORK,
}
"""Of a card's entries."""
_SAME_TYPE = {"MOBILE": "CELL", "VOICE": "CELL"}
_NO_CAPTION = frozenset({"audio", "voice", "sticker"})


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A request to make."""

    path: str
    body: dict[str, Any]


def prepare(outgoing: Outgoing) -> Prepared:
    """The request that sends this message.

    Raises:
        SendRefusedError: Infobip can't send such a message, or not without ``server.public_url``.
    """
    message = outgoing.message
    path, content = _content(outgoing)
    if content is not None:
        check_lengths(path, content)
    body = _envelope(outgoing, content)
    if message.type == "template":
        body = {"messages": [body]}
    return Prepared(path=f"/whatsapp/1/message/{path}", body=body)


def recipient(chat: str) -> str:
    """What Infobip calls a chat: digits, or a business-scoped id. SendRefusedError for groups and the like."""
    if chat.rpartition("@")[2] not in {USER, OPAQUE}:
        raise SendRefusedError("Infobip sends to single people only: a number, or a business-scoped user id")
    return digits_of(chat)


def _envelope(outgoing: Outgoing, content: dict[str, Any] | None) -> dict[str, Any]:
    account, settings = outgoing.account, settings_of(outgoing.account)
    tokens = tokens_of(account)
    optional = {
        "notifyUrl": notify_url(account.webhook_url, tokens[0]) if settings.reports and tokens else "",
        "entityId": settings.entity_id,
        "applicationId": settings.application_id,
    }
    body: dict[str, Any] = {
        "from": sender_of(account),
        "to": recipient(outgoing.message.chat),
        # The same id again is refused as a duplicate: this is what makes sending idempotent.
        "messageId": outgoing.id,
        **({} if content is None else {"content": content}),
        "callbackData": outgoing.id,
        **{key: value for key, value in optional.items() if value},
    }
    if outgoing.message.reply_to:
        body["context"] = {"replyToMessageId": outgoing.message.reply_to}
    return body


def _content(outgoing: Outgoing) -> tuple[str, dict[str, Any] | None]:
    """Path under ``/whatsapp/1/message/`` and the content; None: it goes without."""
    message = outgoing.message
    folder = _FOLDERS.get(message.type, message.type)
    if message.type == "text":
        return folder, _text(message)
    if message.type in MEDIA_TYPES:
        return folder, _media(outgoing)
    if message.type == "location" and message.location is not None:
        place = message.location
        named = {"name": place.name, "address": place.address}
        where = {"latitude": place.latitude, "longitude": place.longitude}
        return folder, where | {key: value for key, value in named.items() if value}
    if message.type == "contacts" and message.contacts:
        return folder, {"contacts": [_card(card) for card in message.contacts]}
    if message.type == "template" and message.template is not None:
        return folder, template_content(message.template, file_url(outgoing, needed=False))
    if message.type == "interactive" and message.interactive is not None:
        return interactive_content(message.interactive, file_url(outgoing, needed=False))
    raise SendRefusedError(f"Infobip can't send a message of type {message.type}, or its content is missing")


def _text(message: OutMessage) -> dict[str, Any]:
    # A preview without a link in the text is refused.
    preview = message.preview_url and ("http://" in message.text or "https://" in message.text)
    return {"text": message.text, "previewUrl": True} if preview else {"text": message.text}


def _media(outgoing: Outgoing) -> dict[str, Any]:
    message = outgoing.message
    content: dict[str, Any] = {"mediaUrl": file_url(outgoing)}
    if message.text and message.type in _NO_CAPTION:
        raise SendRefusedError(f"WhatsApp shows no text under a message of type {message.type}; send it by itself")
    if message.text:
        content["caption"] = message.text
    filename = outgoing.file.filename if outgoing.file else (message.media.filename if message.media else "")
    if message.type == "document":
        content["filename"] = filename or name_in(content["mediaUrl"])
    if message.type == "voice":
        content["voice"] = True
    return content


def _card(card: dict[str, Any]) -> dict[str, Any]:
    """One contact; ``formattedName`` and ``firstName`` are required, types are in capitals."""
    vcard = first_text(card, "vcard")
    card = card_of(vcard) if vcard else {key: value for key, value in card.items() if key != "vcard"}
    written: dict[str, Any] = camel(card)
    name = written.get("name")
    name = dict(name) if isinstance(name, dict) else {}
    shown = first_text(name, "formattedName", "firstName", "lastName")
    written["name"] = {"firstName": shown, "formattedName": shown} | {k: v for k, v in name.items() if v}
    for place, types in _TYPES.items():
        written[place] = [_typed(entry, types) for entry in objects(written.get(place))]
    return {place: value for place, value in written.items() if value not in ([], {}, "", None)}


def _typed(entry: dict[str, Any], types: frozenset[str]) -> dict[str, Any]:
    """With its type in Infobip's words; one that it does not have is left out."""
    given = first_text(entry, "type").upper()
    kind = _SAME_TYPE.get(given, given)
    typed = {name: kind if name == "type" else value for name, value in entry.items()}
    return typed if kind in types else {name: value for name, value in typed.items() if name != "type"}


def file_url(outgoing: Outgoing, *, needed: bool = True) -> str:
    """Where anyone can fetch the message's file. SendRefusedError when it is needed and there is none."""
    file, media = outgoing.file, outgoing.message.media
    url = (file.url if file else "") or (media.url if media and not file else "")
    if needed and not url:
        raise SendRefusedError(
            "Infobip fetches files by URL: set server.public_url so that it can reach ours, or send a public URL"
        )
    return url


def notify_url(webhook_url: str, token: str) -> str:
    """Our webhook's URL with its token: reports asked for by message carry no headers. '' without a public URL."""
    return f"{webhook_url}?token={quote(token, safe='')}" if webhook_url else ""
