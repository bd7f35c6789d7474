"""Sending through WAHA."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.hooks import MEDIA_TYPES, Edit, Outgoing, ProviderAccount, Sent, Signal
from wagate.hooks.base64_files import WAIT, Base64Files, filled, goes_along, mark_of
from wagate.http import HttpClient, Response
from wagate_waha.bodies import chat_id, request_of
from wagate_waha.client import WahaClient, document_of, in_path
from wagate_waha.ids import id_in_answer
from wagate_waha.settings import settings_of

_FILE_TIMEOUT = 55.0
"""Seconds, less than the minute that the core gives: WAHA fetches, converts and uploads a file before it answers."""
_SIGNALS = {"seen": "/api/sendSeen", "typing": "/api/startTyping", "paused": "/api/stopTyping"}


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
        """Mark a chat as seen, show or end typing, ask for its presence."""
        if signal.kind == "watch":
            session = in_path(settings_of(account).session)
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
