"""Fetch a file: streamed to whoever takes it, bounded in size and time, redirects followed by our rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from urllib.parse import urljoin

import httpcore2
import msgspec
import trio

from wagate.http.answer import MOST_HEADERS, fold_headers
from wagate.http.errors import BadUrlError, ProtocolError, TimedOutError, TooLongError
from wagate.http.guard import Trust
from wagate.http.translate import FAILURES, translate
from wagate.http.url import ParsedURL, check_url

MOST_REDIRECTS = 5
MOST_SAID = 2000
SAID_PATIENCE = 2.0
"""Seconds for what an answer without a file says."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ONLY_FIRST_HOST = frozenset({"user-agent", "accept"})
"""All other headers of the caller's may hold secrets: another host does not get them."""

Sink = Callable[[bytes], Awaitable[None]]
"""Takes the body chunk by chunk; the next one is read when it returns."""


class Downloaded(msgspec.Struct, frozen=True, kw_only=True):
    """How a download ended. Only the body of a 200 goes to the sink, and then it came whole."""

    status: int
    headers: dict[str, str]
    """Names in lower case; of the last answer."""
    size: int
    """Bytes that the sink got."""
    said: bytes = b""
    """The first `MOST_SAID` bytes of any other answer, which may say why."""

    @property
    def content_type(self) -> str:
        """As the server says; '' when it doesn't."""
        return self.headers.get("content-type", "")


Open = Callable[[str, Mapping[str, str], Trust], AbstractAsyncContextManager[httpcore2.Response]]
"""(URL, headers, trust) → the answer, its body not read yet."""


async def download(
    open_url: Open,
    url: str,
    sink: Sink,
    *,
    headers: Mapping[str, str],
    limit: int,
    timeout: float,  # noqa: ASYNC109  (it ends this download, not the caller)
    idle: float,
    trust: Trust,
    redirects: int = MOST_REDIRECTS,
) -> Downloaded:
    """See `wagate.http.HttpClient.download`."""
    with trio.move_on_after(timeout):
        try:
            return await _follow(open_url, url, _Body(sink, limit, idle), headers, trust, redirects=redirects)
        except FAILURES as error:
            raise translate(error) from error
    raise TimedOutError


async def _follow(
    open_url: Open, url: str, body: _Body, headers: Mapping[str, str], trust: Trust, *, redirects: int
) -> Downloaded:
    for _ in range(redirects + 1):
        with trio.CancelScope(deadline=trio.current_time() + body.idle) as scope:
            async with open_url(url, {**headers, "Accept-Encoding": "identity"}, trust) as head:
                answer = fold_headers(head.headers[:MOST_HEADERS])
                if head.status == 200:
                    size = await body.read(head, answer, scope)
                    return Downloaded(status=head.status, headers=answer, size=size)
                if head.status not in REDIRECTS or not answer.get("location") or not redirects:
                    return Downloaded(status=head.status, headers=answer, size=0, said=await _said(head))
        if scope.cancelled_caught:
            raise TimedOutError
        url, headers, trust = _next_hop(url, answer["location"], headers, trust)
    raise ProtocolError(f"Protocol error: more than {MOST_REDIRECTS} redirects")


def _next_hop(
    url: str, location: str, headers: Mapping[str, str], trust: Trust
) -> tuple[str, Mapping[str, str], Trust]:
    """Where a redirect leads. What another host says is nobody's word: no secrets, and the whole guard.

    Raises:
        BadUrlError: it leads out of https, or can't be used.
    """
    before = check_url(url, allow_http=True)
    url = urljoin(url, location)
    after = check_url(url, allow_http=True)
    if before.scheme == "https" and after.scheme == "http":
        raise BadUrlError("the redirect leads from https to http")
    if _origin(before) == _origin(after):
        return url, headers, trust
    kept = {name: value for name, value in headers.items() if name.lower() in _ONLY_FIRST_HOST}
    return url, kept, "public"


def _origin(parsed: ParsedURL) -> tuple[str, str, int]:
    return parsed.scheme, parsed.host, parsed.port


class _Body:
    """Where the body goes, and how much of it how slowly."""

    def __init__(self, sink: Sink, limit: int, idle: float) -> None:
        self.idle = idle
        self._sink = sink
        self._limit = limit

    async def read(self, head: httpcore2.Response, headers: Mapping[str, str], scope: trio.CancelScope) -> int:
        """Hand on the whole body; its size. Raises TooLongError before reading when its length is told."""
        if headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
            raise ProtocolError("Protocol error: the file came compressed, although an uncompressed file was requested")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit:
            raise TooLongError(self._limit)
        size = 0
        async with aclosing(_chunks(head)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._limit:
                    raise TooLongError(self._limit)
                scope.deadline = float("inf")  # how long our own disk takes is no fault of theirs
                await self._sink(chunk)
                scope.deadline = trio.current_time() + self.idle
        await head.aclose()
        return size


async def _said(head: httpcore2.Response) -> bytes:
    """The beginning of an answer that brings no file, as far as it comes soon: the status line has decided."""
    said = b""
    with trio.move_on_after(SAID_PATIENCE), suppress(*FAILURES):
        async with aclosing(_chunks(head)) as chunks:
            async for chunk in chunks:
                said += chunk
                if len(said) >= MOST_SAID:
                    break
    return said[:MOST_SAID]


async def _chunks(head: httpcore2.Response) -> AsyncGenerator[bytes, None]:
    stream = head.stream
    assert isinstance(stream, AsyncIterable)
    # A generator: left early it must be closed here and now, which also closes its connection.
    async with aclosing(stream.__aiter__()) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            yield chunk
