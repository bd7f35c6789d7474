"""Files to Meta, from the disk to the wire in pieces."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx2
import trio

from wagate.errors import AccountStoppedError, NotSentError, SendRefusedError
from wagate.hooks import OutFile
from wagate.http import HttpClient, Response
from wagate.parsing.fields import identifier
from wagate_meta.api import Api
from wagate_meta.errors import read_answer

_PIECE: Final = 65_536
_PATIENCE: Final = 60.0
_SLOWEST: Final = 200_000
"""Bytes a second that an upload makes at least, else it is given up."""
_MOST_ANSWER: Final = 20_000


async def upload(http: HttpClient, api: Api, file: OutFile, path: Path) -> str:
    """Post a file; Meta's id of it, good for 30 days.

    Whatever goes wrong, no message went out.

    Raises:
        NotSentError, SendRefusedError, AccountStoppedError: it is not there.
    """
    try:
        size = (await trio.Path(path).stat()).st_size
    except OSError as error:
        raise SendRefusedError("the file to send is no longer there") from error
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
        with trio.fail_after(patience):
            async with (
                http.guarded_httpx(trust=api.trust, timeout=patience) as client,
                client.stream("POST", api.uploads, headers=headers, content=_body(head, path, tail)) as answer,
            ):
                body = await _first_part(answer)
                fields = {name.lower(): value for name, value in answer.headers.items()}
                took = (trio.current_time() - started) * 1000
                return Response(status=answer.status_code, headers=fields, body=body, truncated=False, duration_ms=took)
    except trio.TooSlowError as error:
        raise NotSentError(f"the file was not uploaded within {patience:.0f} s") from error
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
