"""A message as the body that ``POST …/messages`` takes. Pure.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wagate.errors import SendRefusedError
from wagate.hooks import MEDIA_TYPES, OutFile, Outgoing, OutMessage
from wagate.parsing.fields import mapping
from wagate.parsing.vcards import card_of

_CAPTIONED: Final = frozenset({"image", "video", "document"})
_TEMPLATE_KEYS: Final[tuple[str, ...]] = ("name", "language", "components", "namespace")
"""Other keys of a template are other providers'."""


def message_body(out: Outgoing, *, media_id: str = "") -> dict[str, Any]:
    """The body; ``media_id`` is the id of the message's file when it was uploaded, else its URL is named.

    ``biz_opaque_callback_data`` carries our id, which comes back with each status.

    Raises:
        SendRefusedError: the message lacks what its type needs, or its chat is none that Meta can send to.
    """
    message = out.message
    body = {"messaging_product": "whatsapp", **recipient(message.chat), **_content(message, out.file, media_id)}
    if message.reply_to and message.type != "reaction":
        body["context"] = {"message_id": message.reply_to}
    return body | {"biz_opaque_callback_data": out.id}


def recipient(chat: str) -> dict[str, str]:
    """Who gets it: a number in ``to``, a business-scoped user id in ``recipient``, a group in ``to``.

    Raises:
        SendRefusedError: anything else.
    """
    local, _, domain = chat.rpartition("@")
    match domain:
        case "c.us":
            return {"recipient_type": "individual", "to": local}
        case "user":
            return {"recipient_type": "individual", "recipient": local}
        case "g.us":
            return {"recipient_type": "group", "to": local}
    raise SendRefusedError(f"Meta sends to numbers, user ids and groups; {chat[-40:]!r} is not one of them")


def _content(message: OutMessage, file: OutFile | None, media_id: str) -> dict[str, Any]:
    if message.type in MEDIA_TYPES:
        return _media(message, file, media_id)
    write = _WRITERS.get(message.type)
    if write is None:
        raise SendRefusedError(f"Meta has no message type {message.type[:40]!r}")
    return {"type": message.type, message.type: write(message)}


def _media(message: OutMessage, file: OutFile | None, media_id: str) -> dict[str, Any]:
    kind = "audio" if message.type == "voice" else message.type
    url = file.url if file else ""
    if not media_id and not url:
        raise SendRefusedError(f"the {message.type} has no file that Meta could fetch or we could upload")
    media: dict[str, Any] = {"id": media_id} if media_id else {"link": url}
    if message.text and message.type not in _CAPTIONED:
        raise SendRefusedError(f"WhatsApp shows no text under {message.type}: send it as a separate message")
    if message.text:
        media["caption"] = message.text
    if file and file.filename and message.type == "document":
        media["filename"] = file.filename
    if message.type == "voice":
        media["voice"] = True
    return {"type": kind, kind: media}


def _text(message: OutMessage) -> dict[str, Any]:
    if not message.text:
        raise SendRefusedError("the text is empty")
    return {"body": message.text, "preview_url": message.preview_url}


def _location(message: OutMessage) -> dict[str, Any]:
    place = message.location
    if place is None:
        raise SendRefusedError("the location is missing")
    named = {name: text for name, text in (("name", place.name), ("address", place.address)) if text}
    return {"latitude": place.latitude, "longitude": place.longitude, **named}


def _contacts(message: OutMessage) -> list[dict[str, Any]]:
    if not message.contacts:
        raise SendRefusedError("there is no contact card")
    return [_card(card) for card in message.contacts]


def _card(card: dict[str, Any]) -> dict[str, Any]:
    vcard = card.get("vcard")
    own = {name: value for name, value in card.items() if name != "vcard"}
    if own.get("name") or not isinstance(vcard, str):
        return own
    read = card_of(vcard) | own
    name = mapping(read["name"])
    # Meta wants one of the name's parts beside the whole.
    return read | {"name": {"first_name": name.get("formatted_name", ""), **name}}


def _reaction(message: OutMessage) -> dict[str, Any]:
    if message.reaction is None:
        raise SendRefusedError("the reaction is missing")
    return {"message_id": message.reaction.message_id, "emoji": message.reaction.emoji}


def _template(message: OutMessage) -> dict[str, Any]:
    template = message.template or {}
    if not template.get("name") or not template.get("language"):
        raise SendRefusedError("a template needs name and language.code")
    language = template["language"]
    own = {name: template[name] for name in _TEMPLATE_KEYS if name in template}
    return own | ({"language": {"code": language}} if isinstance(language, str) else {})


def _interactive(message: OutMessage) -> dict[str, Any]:
    if not message.interactive:
        raise SendRefusedError("the interactive part is missing")
    return message.interactive


_WRITERS: Final[dict[str, Callable[[OutMessage], Any]]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "template": _template,
    "interactive": _interactive,
}
SENDABLE: Final = frozenset(_WRITERS) | MEDIA_TYPES
"""Message types that there are bodies for."""
