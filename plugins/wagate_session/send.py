"""Sending through a session engine: a message as its request, and what came of it.

Source: avoylenko/wwebjs-api; options: whatsapp-web.js 1.34, MessageSendOptions.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.errors import OutcomeUnknownError, SendRefusedError
from wagate.hooks import MEDIA_TYPES, Edit, Outgoing, OutMessage, ProviderAccount, Sent, Signal
from wagate.hooks.base64_files import WAIT, Base64Files, filled, goes_along, mark_of
from wagate.http import HttpClient
from wagate.parsing.chats import OPAQUE
from wagate.parsing.fields import first_text, identifier, mapping
from wagate.parsing.vcards import vcard_of
from wagate_session.client import SessionClient, settings_of

_FILE_TIMEOUT = 55.0
"""Seconds, less than the minute that the core gives: the engine fetches and uploads a file before it answers."""
_SIGNALS = {
    "seen": "/chat/sendSeen",
    "typing": "/chat/sendStateTyping",
    "recording": "/chat/sendStateRecording",
    "paused": "/chat/clearState",
}
SEND = "/client/sendMessage"
REACT = "/message/react"
_OPTION_OF = {"voice": "sendAudioAsVoice", "document": "sendMediaAsDocument", "sticker": "sendMediaAsSticker"}


class Sender:
    """`send`, `signal`, `revoke` and `edit` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._files = Base64Files()

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message; its id is the one with which the engine echoes it. A reaction has none: ''."""
        client = SessionClient(self._http, outgoing.account)
        if outgoing.message.type in MEDIA_TYPES:
            document = await self._send_file(client, outgoing)
        else:
            request = request_of(outgoing)
            document = await client.call("POST", request.path, body=request.body)
        if document.get("success") is not True:
            raise OutcomeUnknownError("the engine's answer does not say whether it sent the message")
        return Sent(message_id=message_id(document.get("message")))

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Mark a chat as seen, show or end typing or recording."""
        body = {"chatId": chat_id(signal.chat)}
        await SessionClient(self._http, account).call("POST", _SIGNALS[signal.kind], body=body)

    async def revoke(self, message_id: str, chat: str, account: ProviderAccount) -> None:
        """Delete a message of ours for everyone.

        One that is too old for that the engine deletes on our side alone, and answers the same.
        Source: avoylenko/wwebjs-api, src/controllers/messageController.js; whatsapp-web.js, Message.delete.
        """
        body = {"chatId": chat_id(chat), "messageId": bare_id(message_id), "everyone": True}
        await SessionClient(self._http, account).call("POST", "/message/delete", body=body)

    async def edit(self, edit: Edit, account: ProviderAccount) -> None:
        """Change the text or caption of a message of ours. SendRefusedError: it is too old for that.

        Source: avoylenko/wwebjs-api, src/controllers/messageController.js (editMessage); whatsapp-web.js, Message.edit,
        which gives null for one that WhatsApp no longer lets be edited.
        """
        body = {"chatId": chat_id(edit.chat), "messageId": bare_id(edit.message_id), "content": edit.text}
        answer = await SessionClient(self._http, account).call("POST", "/message/edit", body=body)
        if "message" in answer and answer["message"] is None:
            raise SendRefusedError("WhatsApp no longer lets this message be edited")

    async def _send_file(self, client: SessionClient, outgoing: Outgoing) -> dict[str, Any]:
        request, file = request_of(outgoing, file_content(outgoing)), outgoing.file
        if file is None or file.path is None or not in_body(outgoing):
            return await client.call("POST", request.path, body=request.body, seconds=_FILE_TIMEOUT)
        async with self._files.place():
            body = await filled(request.body, request.body["content"]["data"], file.path)
            return await client.call("POST", request.path, body=body, seconds=_FILE_TIMEOUT - WAIT)


def message_id(message: object) -> str:
    """The id of a message object: ``id._serialized``, else put together; '' when it has none.

    Builds of WhatsApp Web from July 2026 on may leave ``_serialized`` out (wwebjs/whatsapp-web.js, 201830).
    """
    found = mapping(message).get("id")
    if isinstance(found, str):
        return identifier(found)
    key = mapping(found)
    if text := first_text(key, "_serialized"):
        return identifier(text)
    bare, remote = identifier(key.get("id")), key.get("remote")
    chat = remote if isinstance(remote, str) else _wid(mapping(remote))
    if not bare or not chat:
        return bare
    writer = key.get("participant")
    participant = writer if isinstance(writer, str) else _wid(mapping(writer))
    return identifier("_".join(["true", chat, bare, *filter(None, (participant,))]))


def _wid(wid: dict[str, Any]) -> str:
    user, server = first_text(wid, "user"), first_text(wid, "server")
    return first_text(wid, "_serialized") or (f"{user}@{server}" if user and server else "")


def file_content(outgoing: Outgoing) -> dict[str, Any]:
    """``contentType`` and ``content``; when the bytes must go along, a mark is in ``data`` for `filled` to replace.

    Raises:
        SendRefusedError: it can go neither way.
    """
    file = outgoing.file
    if file is None:
        raise SendRefusedError(f"a message of type {outgoing.message.type!r} needs a file")
    if in_body(outgoing):
        content = {"mimetype": file.mimetype, "data": mark_of(file), "filename": file.filename}
        return {"contentType": "MessageMedia", "content": content}
    if not file.url:
        raise SendRefusedError("the engine can't fetch this file: it has no URL, and wagate has no copy")
    named = {"filename": file.filename}
    return {"contentType": "MessageMediaFromURL", "content": file.url, "mediaFromURLOptions": named}


def in_body(outgoing: Outgoing) -> bool:
    """Whether the bytes go along: the account wants that, or there is no URL, and we hold the file."""
    wanted = settings_of(outgoing.account).media == "base64"
    return outgoing.file is not None and goes_along(outgoing.file, wanted=wanted)


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
        raise SendRefusedError("the engine sends to phone numbers, groups and LIDs; this chat's key is not one of them")
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
