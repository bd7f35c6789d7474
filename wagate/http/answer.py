"""What came back, and how much of it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterable
from contextlib import aclosing

import httpcore2
import msgspec

MOST_HEADERS = 100
"""Headers of an answer that are kept; h11 bounds them all to 100 KiB."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: its status line and headers came, whatever became of the body."""

    status: int
    headers: dict[str, str]
    """Names in lower case, repeated ones joined by ``, ``; the first 100."""
    body: bytes
    """As sent (no decoding), at most the request's limit."""
    truncated: bool
    """The body is not whole: cut at the limit or by the deadline, or the connection broke."""
    duration_ms: float
    """From the call to the end of the body."""


class Answer:
    """What has come so far. It outlives the deadline that ends the reading."""

    def __init__(self) -> None:
        self.head: httpcore2.Response | None = None
        self.whole = False
        self._body = bytearray()

    async def read_body(self, head: httpcore2.Response, limit: int) -> None:
        """Read up to ``limit`` bytes. A body that breaks off is no error: the status line has decided."""
        self.head = head
        stream = head.stream
        assert isinstance(stream, AsyncIterable)
        try:
            # A generator: left early it must be closed here and now, which also closes its connection.
            async with aclosing(stream.__aiter__()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    self._body += chunk[: limit + 1 - len(self._body)]
                    if len(self._body) > limit:
                        del self._body[limit:]
                        return
            await head.aclose()
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            return
        self.whole = True

    def response(self, duration_ms: float) -> Response | None:
        """The record of it; None when no status line came."""
        if self.head is None:
            return None
        return Response(
            status=self.head.status,
            headers=fold_headers(self.head.headers[:MOST_HEADERS]),
            body=bytes(self._body),
            truncated=not self.whole,
            duration_ms=duration_ms,
        )


def fold_headers(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header lines by lower-case name, repeated ones joined by ``, ``."""
    headers: dict[str, str] = {}
    for raw, value in lines:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers
