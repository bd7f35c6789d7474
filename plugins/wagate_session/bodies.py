"""A message as the engine's request (avoylenko/wwebjs-api; options: whatsapp-web.js 1.34, MessageSendOptions)."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.errors import SendRefusedError
from wagate.hooks import Outgoing, OutMessage
from wagate.parsing.chats import OPAQUE
from wagate.parsing.vcards import vcard_of

SEND = "/client/sendMessage"
REACT = "/message/react"
_OPTION_OF = {"voice": "sendAudioAsVoice", "document": "sendMediaAsDocument", "sticker": "sendMediaAsSticker"}


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request: its path without the session, and its body."""

    path: str
    body: dict[str, Any]


def request_of(outgoing: Outgoing, file: dict[str, Any] | None = None) -> SessionRequest:
    """The request that sends a message; ``file``: ``contentType`` and ``content`` of a message with one.

    Raises:
        SendRefusedError: the engine has no way to send this.
    """
    message = outgoing.message
    chat = chat_id(message.chat)
    if message.type == "reaction":
        return _reaction(message, chat)
    # Sending does not mark what came in as seen: that is told by itself.
    options: dict[str, Any] = {"sendSeen": False}
    if message.reply_to:
        options["quotedMessageId"] = message.reply_to
    if message.mentions:
        options["mentions"] = [chat_id(each) for each in message.mentions]
    content = file or _content(message, options)
    if file is not None:
        if message.text:
            options["caption"] = message.text
        if message.type in _OPTION_OF:
            options[_OPTION_OF[message.type]] = True
    return SessionRequest(path=SEND, body={"chatId": chat, **content, "options": options})


def chat_id(chat: str) -> str:
    """Our chat key as the engine's chatId. SendRefusedError when there is no number."""
    if chat.endswith(f"@{OPAQUE}"):
        raise SendRefusedError("the engine sends to phone numbers, groups and LIDs; this chat's key is none of them")
    return chat


def bare_id(message_id: str) -> str:
    """The id by which the engine looks for a message, among the last 100 of its chat."""
    parts = message_id.split("_", 3)
    return parts[2] if len(parts) > 2 else message_id


def _content(message: OutMessage, options: dict[str, Any]) -> dict[str, Any]:
    if message.type == "text":
        # A text that begins BEGIN:VCARD stays a text.
        options |= {"linkPreview": message.preview_url, "parseVCards": False}
        return {"contentType": "string", "content": message.text}
    if message.type == "location" and message.location is not None:
        place = message.location
        description = {"name": place.name, "address": place.address}
        content = {"latitude": place.latitude, "longitude": place.longitude, "description": description}
        return {"contentType": "Location", "content": content}
    if message.type == "poll" and message.poll is not None:
        poll = message.poll
        asked = {
            "pollName": poll.name,
            "pollOptions": list(poll.options),
            "options": {"allowMultipleAnswers": poll.multiple},
        }
        return {"contentType": "Poll", "content": asked}
    if message.type == "contacts":
        return {"contentType": "string", "content": _card(message)}
    raise SendRefusedError(f"session engines can't send messages of type {message.type!r}")


def _card(message: OutMessage) -> str:
    """One vCard: as text it is sent as a contact."""
    if len(message.contacts) != 1:
        raise SendRefusedError("session engines send one contact with a message; send one message for each")
    [contact] = message.contacts
    vcard = contact.get("vcard")
    if isinstance(vcard, str) and vcard:
        return vcard
    if not contact.get("name") or not contact.get("phones"):
        raise SendRefusedError("a contact needs name.formatted_name and phones[].phone, or a vcard")
    return vcard_of(contact)


def _reaction(message: OutMessage, chat: str) -> SessionRequest:
    assert message.reaction is not None
    about = bare_id(message.reaction.message_id)
    body = {"chatId": chat, "messageId": about, "reaction": message.reaction.emoji}
    return SessionRequest(path=REACT, body=body)
