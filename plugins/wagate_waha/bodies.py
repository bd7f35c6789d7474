"""A message as WAHA's request: path and body (https://waha.devlike.pro/docs/how-to/send-messages/)."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.errors import SendRefusedError
from wagate.hooks import OutFile, Outgoing, OutMessage
from wagate.parsing.chats import OPAQUE
from wagate.parsing.vcards import vcard_of
from wagate_waha.settings import settings_of

_PATHS = {
    "image": "/api/sendImage",
    "video": "/api/sendVideo",
    "voice": "/api/sendVoice",
    # WAHA sends a sound as a recording or as a file, nothing between.
    "audio": "/api/sendFile",
    "document": "/api/sendFile",
}
VOICE_TYPE = "audio/ogg; codecs=opus"
_VOICE_FILES = frozenset({"audio/ogg", "audio/opus"})


class WahaRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    path: str
    body: dict[str, Any]
    method: str = "POST"


def request_of(outgoing: Outgoing, file: dict[str, Any] | None) -> WahaRequest:
    """The request that sends a message; ``file`` is its ``file`` object for a message with one.

    Raises:
        SendRefusedError: WAHA has no way to send this.
    """
    message = outgoing.message
    head = {"session": settings_of(outgoing.account).session, "chatId": chat_id(message.chat)}
    if message.type == "reaction":
        return _reaction(message, head["session"])
    if message.reply_to:
        head["reply_to"] = message.reply_to
    if message.type == "poll" and message.poll is not None:
        poll = message.poll
        asked = {"name": poll.name, "options": list(poll.options), "multipleAnswers": poll.multiple}
        return WahaRequest(path="/api/sendPoll", body=head | {"poll": asked})
    if message.type == "text":
        return _text(message, head)
    if message.type == "location":
        return _location(message, head)
    if message.type == "contacts":
        cards = [card_of(each) for each in message.contacts]
        return WahaRequest(path="/api/sendContactVcard", body=head | {"contacts": cards})
    path = _PATHS.get(message.type)
    if path is None or file is None:
        raise SendRefusedError(f"WAHA can't send messages of type {message.type!r}")
    return WahaRequest(path=path, body=head | _with_file(message, outgoing.file, file))


def chat_id(chat: str) -> str:
    """Our chat key as WAHA's chatId. SendRefusedError when there is no number."""
    if chat.endswith(f"@{OPAQUE}"):
        raise SendRefusedError("WAHA sends to phone numbers, groups and LIDs; this chat's key is none of them")
    return chat


def card_of(contact: dict[str, Any]) -> dict[str, Any]:
    """A contact in Meta's form, or with its own ``vcard``, as WAHA's."""
    vcard = contact.get("vcard")
    if isinstance(vcard, str) and vcard:
        return {"vcard": vcard}
    if not contact.get("name") or not contact.get("phones"):
        raise SendRefusedError("a contact needs name.formatted_name and phones[].phone, or a vcard")
    return {"vcard": vcard_of(contact)}


def _text(message: OutMessage, head: dict[str, Any]) -> WahaRequest:
    """A text; one with a preview of ours takes no mentions at WAHA."""
    preview = message.preview
    if preview is None:
        plain = {"text": message.text, "linkPreview": message.preview_url, **_mentions(message)}
        return WahaRequest(path="/api/sendText", body=head | plain)
    shown: dict[str, Any] = {"url": preview.url, "title": preview.title, "description": preview.description}
    if preview.thumbnail:
        shown["image"] = {"mimetype": "image/jpeg", "filename": "preview.jpg", "data": preview.thumbnail}
    body = {"text": message.text, "linkPreviewHighQuality": False, "preview": shown}
    return WahaRequest(path="/api/send/link-custom-preview", body=head | body)


def _reaction(message: OutMessage, session: str) -> WahaRequest:
    assert message.reaction is not None
    body = {"session": session, "messageId": message.reaction.message_id, "reaction": message.reaction.emoji}
    return WahaRequest(method="PUT", path="/api/reaction", body=body)


def _location(message: OutMessage, head: dict[str, Any]) -> WahaRequest:
    place = message.location
    assert place is not None
    title = place.name or place.address
    body = {"latitude": place.latitude, "longitude": place.longitude, "title": title}
    return WahaRequest(path="/api/sendLocation", body=head | body)


def _with_file(message: OutMessage, out: OutFile | None, file: dict[str, Any]) -> dict[str, Any]:
    assert out is not None
    body: dict[str, Any] = {"file": file}
    plain = out.mimetype.partition(";")[0].strip().lower()
    if message.type == "voice":
        # WAHA converts what is no recording yet.
        as_voice = plain in _VOICE_FILES
        if "url" in file:
            file = {name: value for name, value in file.items() if name != "filename"}  # VoiceRemoteFile has none
        return {"file": file | ({"mimetype": VOICE_TYPE} if as_voice else {}), "convert": not as_voice}
    if message.type == "video":
        body["convert"] = plain != "video/mp4"
    if message.text:
        body["caption"] = message.text
    return body | _mentions(message)


def _mentions(message: OutMessage) -> dict[str, Any]:
    return {"mentions": [chat_id(each) for each in message.mentions]} if message.mentions else {}
