"""Sending through WAHA: a message as its request, path and body, and what came of it.

Source: https://waha.devlike.pro/docs/how-to/send-messages/
"""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.errors import SendRefusedError
from wagate.hooks import MEDIA_TYPES, Edit, OutFile, Outgoing, OutMessage, ProviderAccount, Sent, Signal
from wagate.hooks.base64_files import WAIT, Base64Files, filled, goes_along, mark_of
from wagate.http import HttpClient, Response
from wagate.parsing.chats import OPAQUE
from wagate.parsing.vcards import vcard_of
from wagate_waha.client import WahaClient, document_of, in_path
from wagate_waha.ids import id_in_answer
from wagate_waha.settings import settings_of

_FILE_TIMEOUT = 55.0
"""Seconds, less than the minute that the core gives: WAHA fetches, converts and uploads a file before it answers."""
_SIGNALS = {"seen": "/api/sendSeen", "typing": "/api/startTyping", "paused": "/api/stopTyping"}
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


class Sender:
    """`send`, `signal`, `revoke` and `edit` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._files = Base64Files()

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message; the answer of any engine tells its id, '' when it tells none (some reactions)."""
        client = WahaClient(self._http, outgoing.account)
        if outgoing.message.type in MEDIA_TYPES:
            answer = await self._send_file(client, outgoing)
        else:
            request = request_of(outgoing, None)
            answer = await client.call(request.method, request.path, body=request.body)
        return Sent(message_id=id_in_answer(document_of(answer)), http_status=answer.status)

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Mark a chat as seen, show or end typing or recording, ask for its presence."""
        session = in_path(settings_of(account).session)
        if signal.kind == "recording":
            shown = {"chatId": chat_id(signal.chat), "presence": "recording"}
            await WahaClient(self._http, account).call("POST", f"/api/{session}/presence", body=shown)
            return
        if signal.kind == "watch":
            path = f"/api/{session}/presence/{in_path(chat_id(signal.chat))}/subscribe"
            await WahaClient(self._http, account).call("POST", path)
            return
        body: dict[str, object] = {"session": settings_of(account).session, "chatId": chat_id(signal.chat)}
        if signal.kind == "seen" and signal.message_ids:
            body["messageIds"] = list(signal.message_ids)
        await WahaClient(self._http, account).call("POST", _SIGNALS[signal.kind], body=body)

    async def revoke(self, message_id: str, chat: str, account: ProviderAccount) -> None:
        """Delete a message of ours for everyone."""
        await WahaClient(self._http, account).call("DELETE", _path_of(message_id, chat, account))

    async def edit(self, edit: Edit, account: ProviderAccount) -> None:
        """Change the text or caption of a message of ours."""
        path = _path_of(edit.message_id, edit.chat, account)
        await WahaClient(self._http, account).call("PUT", path, body={"text": edit.text})

    async def _send_file(self, client: WahaClient, outgoing: Outgoing) -> Response:
        request = request_of(outgoing, file_object(outgoing))
        file = outgoing.file
        if file is None or file.path is None or not in_body(outgoing):
            return await client.call(request.method, request.path, body=request.body, seconds=_FILE_TIMEOUT)
        async with self._files.place():
            body = await filled(request.body, request.body["file"]["data"], file.path)
            return await client.call(request.method, request.path, body=body, seconds=_FILE_TIMEOUT - WAIT)


def _path_of(message_id: str, chat: str, account: ProviderAccount) -> str:
    session = in_path(settings_of(account).session)
    return f"/api/{session}/chats/{in_path(chat_id(chat))}/messages/{in_path(message_id)}"


def file_object(outgoing: Outgoing) -> dict[str, Any]:
    """WAHA's ``file``: with ``url``; when the bytes must go along, with a mark in ``data`` for `filled` to replace.

    Raises:
        SendRefusedError: it can go neither way.
    """
    file = outgoing.file
    if file is None:
        raise SendRefusedError(f"a message of type {outgoing.message.type!r} needs a file")
    described = {"mimetype": file.mimetype, "filename": file.filename}
    if in_body(outgoing):
        return described | {"data": mark_of(file)}
    if not file.url:
        raise SendRefusedError('WAHA can\'t fetch this file: server.public_url is not set; media = "base64" sends it')
    return described | {"url": file.url}


def in_body(outgoing: Outgoing) -> bool:
    """Whether the bytes go along: the account wants that, or there is no URL, and we hold the file."""
    wanted = settings_of(outgoing.account).media == "base64"
    return outgoing.file is not None and goes_along(outgoing.file, wanted=wanted)


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
        raise SendRefusedError("WAHA sends to phone numbers, groups and LIDs; this chat's key is not one of them")
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
