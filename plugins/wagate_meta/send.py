"""Out to WhatsApp: messages, their files, read marks, typing, and where files that came in can be fetched.

A file goes from the disk to the wire in pieces.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import trio

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError, SendRefusedError
from wagate.events import Media
from wagate.hooks import MediaRequest, OutFile, Outgoing, ProviderAccount, SendLimits, Sent, Signal
from wagate.http import HttpClient, Response
from wagate.parsing.fields import first_text, identifier, whole
from wagate_meta.api import Api, ApiOf
from wagate_meta.bodies import SENDABLE, message_body, recipient
from wagate_meta.errors import message_id_of, read_answer

ABILITIES: Final = SENDABLE | {"reply", "seen", "typing"}
LIMITS: Final = SendLimits(per_second=80.0, chat_per_second=1 / 6, chat_burst=45)
"""Of a number that Meta has not upgraded; one person gets 45 at once, then one in 6 seconds."""
LONGEST_TEXT: Final = 4096
"""Source: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages."""
LONGEST_CAPTION: Final = 1024
"""Source: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/image-messages."""
_GONE: Final = frozenset({"33", "100"})
"""Codes of an object that is not there."""
_PIECE: Final = 65_536
_PATIENCE: Final = 60.0
_SLOWEST: Final = 200_000
"""Bytes a second that an upload makes at least, else it is given up."""
LEFT_TO_SEND: Final = 5.0
"""Seconds that the message has after the upload; an upload that the core breaks off would leave it in doubt."""
_MOST_ANSWER: Final = 20_000


class Calls:
    """What is asked of the API, for any account that ``api_of`` knows how to reach."""

    def __init__(self, http: HttpClient, api_of: ApiOf) -> None:
        self._http = http
        self._api_of = api_of

    async def send(self, out: Outgoing) -> Sent:
        """Send one message, its file first when we hold it. Meta has no idempotency key: never twice blindly.

        Raises:
            SendError: see `wagate_meta.errors.failure`.
            OutcomeUnknownError: taken, it seems, but the answer can't be read.
            HttpError: no answer.
        """
        api = self._api_of(out.account)
        recipient(out.message.chat)  # refused before anything is uploaded
        media_id = ""
        if out.file is not None and out.file.path is not None:
            media_id = await upload(self._http, api, out.file, out.file.path)
        body = msgspec.json.encode(message_body(out, media_id=media_id))
        answer = await api.need(self._http, "POST", api.messages, body)
        message_id, status = message_id_of(read_answer(answer.body))
        kept = api.kept(answer.body)
        if not message_id:
            raise OutcomeUnknownError(
                f"answered {answer.status} without the message's id", http_status=answer.status, response=kept
            )
        taken = status in {"", "accepted"}
        return Sent(
            message_id=message_id, status="sent" if taken else "queued", http_status=answer.status, response=kept
        )

    async def signal(self, signal: Signal, account: ProviderAccount) -> None:
        """Mark messages as read, or show that we type (which also marks the last one); typing ends on its own.

        Raises:
            SendRefusedError: it names no message, which Meta needs. SendError, HttpError: as `send`.
        """
        if signal.kind == "paused":
            return  # Meta ends it with the next message, or after 25 seconds.
        if not signal.message_ids:
            raise SendRefusedError(f"Meta needs the id of a message that came in for {signal.kind}; none was given")
        api = self._api_of(account)
        typing = {"typing_indicator": {"type": "text"}} if signal.kind == "typing" else {}
        for message_id in signal.message_ids[-1:] if typing else signal.message_ids:
            body = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id, **typing}
            await api.need(self._http, "POST", api.messages, msgspec.json.encode(body))

    async def locate_media(self, media: Media, account: ProviderAccount) -> MediaRequest:
        """Where a file can be fetched for the next five minutes: by its id; without one at the URL that came along.

        Raises:
            SendRefusedError: it is gone (Meta keeps what came in for 7 days). SendError, HttpError: as `send`.
        """
        api = self._api_of(account)
        if media.provider_id:
            return await self._look_up(api, media.provider_id)
        if media.url:
            return api.file(media.url, mimetype=media.mimetype, size=media.size)
        raise SendRefusedError("the file came without an id and without a URL")

    async def _look_up(self, api: Api, media_id: str) -> MediaRequest:
        url = api.object(media_id, api.media_query)
        gone: SendError | None = None
        for _ in range(api.media_lookups):
            try:
                return _found(api, (await api.need(self._http, "GET", url)).body)
            except SendError as error:
                if not _is_gone(error):
                    raise
                gone = error
        raise SendRefusedError(
            "the file no longer exists: Meta keeps received files for 7 days",
            code=gone.code if gone else "",
            http_status=gone.http_status if gone else None,
        ) from gone


def _is_gone(error: SendError) -> bool:
    return error.http_status in {404, 410} or (error.http_status == 400 and error.code in _GONE)


def _found(api: Api, body: bytes) -> MediaRequest:
    document = read_answer(body)
    url = first_text(document, "url")
    if not url:
        raise NotSentError("the answer has no address of the file")
    return api.file(url, mimetype=first_text(document, "mime_type"), size=whole(document.get("file_size")))


async def upload(http: HttpClient, api: Api, file: OutFile, path: Path) -> str:
    """Post a file; Meta's id of it, good for 30 days.

    Whatever goes wrong, no message went out.

    Raises:
        NotSentError, SendRefusedError, AccountStoppedError: it is not there.
    """
    try:
        size = (await trio.Path(path).stat()).st_size
    except OSError as error:
        raise SendRefusedError("the file to send no longer exists") from error
    answer = await _post(http, api, file, path, size)
    if not 200 <= answer.status < 300:
        raise api.failure(answer, api.kept(answer.body))
    media_id = identifier(read_answer(answer.body).get("id"))
    if not media_id:
        raise NotSentError("the upload was answered without an id", http_status=answer.status)
    return media_id


async def _post(http: HttpClient, api: Api, file: OutFile, path: Path, size: int) -> Response:
    boundary = secrets.token_hex(16)
    head, tail = _around(file, boundary)
    headers = {
        **api.headers,
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    patience = _PATIENCE + size / _SLOWEST
    started = trio.current_time()
    try:
        with trio.fail_at(min(started + patience, trio.current_effective_deadline() - LEFT_TO_SEND)):
            async with (
                http.guarded_httpx(trust=api.trust, timeout=patience) as client,
                client.stream("POST", api.uploads, headers=headers, content=_body(head, path, tail)) as answer,
            ):
                body = await _first_part(answer)
                fields = {name.lower(): value for name, value in answer.headers.items()}
                took = (trio.current_time() - started) * 1000
                return Response(status=answer.status_code, headers=fields, body=body, truncated=False, duration_ms=took)
    except trio.TooSlowError as error:
        raise NotSentError(f"the file was not uploaded within {trio.current_time() - started:.0f} s") from error
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise AccountStoppedError(f"base_url can't be used: {error}") from error
    except httpx2.TransportError as error:
        raise NotSentError(f"the file was not uploaded: {error or type(error).__name__}") from error
    except OSError as error:
        raise NotSentError(f"the file can't be read: {error.strerror}") from error


async def _first_part(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) >= _MOST_ANSWER:
            break
    return bytes(body[:_MOST_ANSWER])


def _around(file: OutFile, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the file's bytes (RFC 7578)."""
    mimetype = file.mimetype or "application/octet-stream"
    # As browsers write it (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html).
    name = (file.filename or "file").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    fields = {"messaging_product": "whatsapp", "type": mimetype}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {mimetype}\r\n\r\n"
    )
    return "".join(parts).encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()


async def _body(head: bytes, path: Path, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async with await trio.open_file(path, "rb") as file:
        while piece := await file.read(_PIECE):
            yield piece
    yield tail
