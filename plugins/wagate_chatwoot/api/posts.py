"""A message to be written in Chatwoot: what it says, and how it goes over the wire.

Files go as a form, from the disk to the wire in pieces.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import httpx2
import msgspec
import trio
from msgspec.structs import asdict

from wagate.http import (
    AddressNotAllowedError,
    BadUrlError,
    HttpClient,
    HttpError,
    NetworkError,
    Response,
    TimedOutError,
    watch_handover,
)

MOST_CONTENT = 150_000
"""Characters of a message (source: Chatwoot's app/models/message.rb)."""
_PATIENCE: Final = 30.0
_SLOWEST: Final = 200_000
"""Bytes a second that an upload makes at least, else it is given up."""
_MOST_ANSWER: Final = 1_000_000


class Post(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message. Field names are Chatwoot's."""

    content: str = ""
    """Markdown."""
    message_type: Literal["incoming", "outgoing"] = "incoming"
    private: bool = False
    """A note that only agents see."""
    content_attributes: dict[str, Any] = {}
    """``in_reply_to`` (Chatwoot's id), ``in_reply_to_external_id`` (a source_id) and anything else."""
    source_id: str = ""
    """The id on WhatsApp, by which it is found again. One with a source_id is never sent to WhatsApp."""
    is_voice_message: bool = False
    external_created_at: int | None = None
    """When it was written, Unix seconds; Chatwoot shows it in place of the time of arrival."""


class File(Protocol):
    """A file to attach; `wagate.hooks.media.MediaFile` is one."""

    @property
    def filename(self) -> str:
        """As agents see it."""

    @property
    def mimetype(self) -> str:
        """Its type."""

    @property
    def size(self) -> int:
        """Bytes."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, in pieces."""


class BytesFile(msgspec.Struct, frozen=True, kw_only=True):
    """A small file in memory (a QR code)."""

    filename: str
    mimetype: str
    body: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """In one piece."""
        yield self.body


def as_json(post: Post) -> bytes:
    """The body of a post without files."""
    return msgspec.json.encode(as_given(post))


def as_fields(post: Post) -> dict[str, str]:
    """The form's fields of a post with files; ``content_attributes`` is JSON in a string."""
    return {name: _text(value) for name, value in as_given(post).items()}


def as_given(post: Post) -> dict[str, Any]:
    """What is said of a post, by Chatwoot's names."""
    kept = {name: value for name, value in asdict(post).items() if value not in ("", None, False, {})}
    return kept | {"content": post.content[:MOST_CONTENT], "message_type": post.message_type, "private": post.private}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


async def upload(
    http: HttpClient, url: str, *, headers: Mapping[str, str], fields: Mapping[str, str], files: Sequence[File]
) -> Response:
    """POST a form with ``attachments[]``; at no time is more of a file in memory than a piece.

    Raises:
        HttpError: no answer; ``sent`` says whether Chatwoot may have got all of it.
    """
    boundary = secrets.token_hex(16)
    heads = [_head(boundary, fields, file if number else None, file) for number, file in enumerate(files)]
    tail = f"\r\n--{boundary}--\r\n".encode()
    size = sum(map(len, heads)) + sum(file.size for file in files) + len(tail)
    patience = _PATIENCE + size / _SLOWEST
    given = {
        **headers,
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(size),
    }
    started = trio.current_time()
    handover = watch_handover()
    try:
        with trio.fail_after(patience):
            async with (
                http.guarded_httpx(trust="operator", timeout=patience) as client,
                client.stream("POST", url, headers=given, content=_body(heads, files, tail)) as answer,
            ):
                body = await _first_part(answer)
                took = (trio.current_time() - started) * 1000
                kept = {name.lower(): value for name, value in answer.headers.items()}
                return Response(status=answer.status_code, headers=kept, body=body, truncated=False, duration_ms=took)
    except (trio.TooSlowError, httpx2.TimeoutException) as error:
        raise TimedOutError(sent=handover.left) from error
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        raise BadUrlError(str(error)) from error
    except httpx2.TransportError as error:
        raise _translated(error, left=handover.left) from error


def _translated(error: httpx2.TransportError, *, left: bool) -> HttpError:
    reason = str(error) or type(error).__name__
    if reason.startswith("Address not allowed"):
        return AddressNotAllowedError(reason)
    return NetworkError(reason, sent=left and not isinstance(error, httpx2.ProxyError))


async def _first_part(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) >= _MOST_ANSWER:
            break
    return bytes(body[:_MOST_ANSWER])


def _head(boundary: str, fields: Mapping[str, str], before: File | None, file: File) -> bytes:
    """What stands before a file's bytes (RFC 7578): the fields before the first one, the end of the one before."""
    # As browsers write it (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html).
    name = file.filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (fields.items() if before is None else ())
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="attachments[]"; filename="{name}"\r\n'
        f"Content-Type: {file.mimetype or 'application/octet-stream'}\r\n\r\n"
    )
    return ("" if before is None else "\r\n").encode() + "".join(parts).encode("utf-8", "replace")


async def _body(heads: Sequence[bytes], files: Sequence[File], tail: bytes) -> AsyncIterator[bytes]:
    for head, file in zip(heads, files, strict=True):
        yield head
        async for piece in file.chunks():
            yield piece
    yield tail
