"""One direct connection: a plain request leaves in one write, and a plain answer is read here. The rest is h11's."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable

import httpcore2
import msgspec

from wagate.http.idle import BODILESS, close, left_in_parser
from wagate.http.plain_heads import FIELDS, fields, is_length
from wagate.http.stream import NotSentError, Stream

_READ = 65536
_REQUEST = re.compile(
    rb"(?:GET|POST|PUT|PATCH|DELETE) [!-~]++ HTTP/1\.1\r\n"
    rb"(?:[-!#$%&'*+.^_`|~0-9A-Za-z]++: (?:[!-~]++(?:[\t ]++[!-~]++)*+)?\r\n)++\r\n"
)
_ANSWER = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [\t -~]*+\r\n" + FIELDS)
"""All that servers usually send."""


class PlainAnswer(msgspec.Struct, frozen=True):
    """The head of an answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Names as they came."""
    length: int
    """Bytes of its body."""
    end: int
    """Where the body begins."""


def plain_request(request: httpcore2.Request, content: bytes) -> bytes | None:
    """All of a request of `wagate.http.target`, as h11 writes it; None when it is for h11 to refuse.

    HEAD is h11's too: its answer announces a body that does not come.
    """
    lines = b"".join([b"%b: %b\r\n" % line for line in request.headers])
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method, request.url.target, lines)
    if _REQUEST.fullmatch(head) is None or head.count(b"\n") != len(request.headers) + 2:
        return None
    if content and request.headers[-1] != (b"Content-Length", b"%d" % len(content)):
        return None
    return head + content


def plain_answer(data: bytes) -> PlainAnswer | None:
    """The head at the beginning of ``data``; None when it is not whole, or has anything in it that could be doubted.

    No coding of the transfer, no change of the protocol, no end of the connection; one length of up to 18 digits, or
    none where no body may follow: where the body ends is then told in one way only.
    """
    found = _ANSWER.match(data)
    if found is None:
        return None
    status, lengths = int(found[1]), []
    headers = fields(found[2])
    for name, value in headers:
        match name.lower():
            case b"content-length":
                lengths.append(value)
            case b"transfer-encoding" | b"upgrade":
                return None
            case b"connection" if value.lower() != b"keep-alive":
                return None
    if status in BODILESS:
        return None if lengths else PlainAnswer(status, headers, 0, found.end())
    if len(lengths) != 1 or not is_length(lengths[0]):
        return None
    return PlainAnswer(status, headers, int(lengths[0]), found.end())


class Direct(httpcore2.AsyncHTTP11Connection):
    """Stands in for httpcore2's connection; what is not plain goes there as if nothing had been sent or read."""

    def __init__(self, origin: httpcore2.Origin, stream: Stream) -> None:
        super().__init__(origin=origin, stream=stream)
        self._stream = stream
        self._used = False
        self._whole: bool | None = None
        """Whether the last answer was read to its end, and nothing behind it; None: h11 knows."""

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send it, and read the head of its answer.

        Raises:
            NotSentError: what came before would be taken for its answer. Else as httpcore2 does.
        """
        if self._used and (self._whole is False or left_in_parser(self)):
            raise NotSentError("the answer before it was not read to its end")
        self._used = True
        assert isinstance(request.stream, AsyncIterable)
        wire = plain_request(request, b"".join([part async for part in request.stream]))
        self._whole = None
        if wire is not None:
            self._whole = False
            data = await self._ask(wire)
            answer = plain_answer(data)
            if answer is not None:
                body = self._body(data[answer.end :], answer.length)
                of = {"network_stream": self._stream}
                return httpcore2.Response(answer.status, headers=answer.headers, content=body, extensions=of)
            self._whole = None
            self._stream.replay(data)
        return await super().handle_async_request(request)

    async def _ask(self, wire: bytes) -> bytes:
        try:
            await self._stream.write(wire)
            return await self._stream.read(_READ)
        except BaseException:
            await close(self)
            raise

    async def _body(self, data: bytes, left: int) -> AsyncGenerator[bytes, None]:
        """The body, whose first bytes are here; ``left`` bytes are to come with them."""
        while len(data) < left:
            if data:
                yield data
            left -= len(data)
            data = await self._stream.read(_READ)
            if not data:
                raise httpcore2.RemoteProtocolError("the connection ended within the body")
        if left:
            yield data[:left]
        self._whole = len(data) == left

    def is_idle(self) -> bool:
        """Whether the last answer was wholly read, and the connection stands."""
        return super().is_idle() if self._whole is None else self._whole and not self.is_closed()

    def has_expired(self) -> bool:
        """Whether anything came, or the end, since it is idle."""
        return self.is_idle() and self._stream.get_extra_info("is_readable")
