"""Bodies of requests: whole, in time, and never more of them in memory than may be.

Those with files inside go to disk as they come: large ones, a few at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio

from wagate.errors import BadRequestError, RequestTimeoutError, TooLargeError, UnavailableError
from wagate.media.files import FileStore
from wagate.media.inside import BodyOnDisk
from wagate.media.source import base64_size
from wagate.web.http.asgi import WHOLE, ClientGoneError, Receive, Request, Scope

PATIENCE = 30.0
"""Seconds for a whole body, however it drips."""
SMALL = 64 * 1024
"""A body's first bytes: they may use room that long bodies leave."""
RESERVE = 4
"""One part in so many of the room is for the first bytes."""
RETRY_AFTER = 2
"""Seconds: as long as bodies take that are on their way."""
SHORT: Final = 1024 * 1024
"""Bytes of a body up to which it is held in memory."""
AT_ONCE: Final = 8
LARGE_PATIENCE: Final = 300.0
"""Seconds for a whole body, however it drips."""
TURN: Final = 60.0
"""Seconds that one waits for its turn; engines don't send a webhook again."""


class Held:
    """What one request holds of the room, until the context ends."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._bodies.let_go(self.size)

    def take(self, count: int) -> None:
        """Hold so many bytes more. UnavailableError when there is no room."""
        self.size += count
        self._bodies.take(count, small=self.size <= SMALL)


class Bodies:
    """The room that all requests' bodies share."""

    def __init__(self, most: int) -> None:
        """``most``: bytes."""
        self._most = most
        self.held = 0
        """Bytes in memory now."""
        self.passed = 0
        """Bytes that have been in memory, and were let go."""

    def take(self, count: int, *, small: bool) -> None:
        """Count bytes in. UnavailableError when there is no room; they are counted all the same."""
        self.held += count
        if self.held > (self._most if small else self._most - self._most // RESERVE):
            raise UnavailableError("too many large bodies are in transit (limits.body_bytes)", retry_after=RETRY_AFTER)

    def hold(self) -> Held:
        """While a request runs; what it held is let go with it."""
        return Held(self)

    def let_go(self, count: int) -> None:
        """Count bytes out."""
        self.held -= count
        self.passed += count


async def read_body(
    scope: Scope, receive: Receive, most: int, held: Held, *, keep: bool = True, limit: str = "server.max_body"
) -> bytes:
    """The whole body; when it is not to be kept, nothing, in the same time.

    Raises:
        TooLargeError: over ``most`` bytes, before reading when its length is given; ``limit`` names the key.
        RequestTimeoutError: it did not come in time. UnavailableError: no room. ClientGoneError.
    """
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise BadRequestError("Content-Length is not a number", field="Content-Length")
            if len(value) > 18 or int(value) > most:
                raise TooLargeError(f"the body is over {limit}")
    gather = partial(_gather, receive, most, held if keep else None, limit)
    if WHOLE in scope.get("extensions", ()):
        return await gather()
    with trio.move_on_after(PATIENCE) as patience:  # fail_after costs several times as much.
        return await gather()
    assert patience.cancelled_caught
    raise RequestTimeoutError(f"the body did not arrive within {PATIENCE:g} s")


async def _gather(receive: Receive, most: int, held: Held | None, limit: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise TooLargeError(f"the body is over {limit}")
        if held is None:
            hashlib.sha256(chunk)  # As long as a signature's check takes: the time must not tell that it is let go.
            chunk = b""
        else:
            held.take(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunks[0]


class WholeBody:
    """A body that is there already, then what the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Mapping[str, Any]:
        """ASGI's receive."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class NoBody:
    """No body. What comes of it all the same is let go, and only the end of the request is heard of."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun = False

    async def __call__(self) -> Mapping[str, Any]:
        """ASGI's receive."""
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await self._receive())["type"] == "http.request":
            pass
        return message


def is_long(request: Request) -> bool:
    """Whether the body is, or may be, longer than `SHORT`."""
    length = request.headers.get("content-length", "")
    return request.method == "POST" and (int(length) > SHORT if length.isdigit() and len(length) < 19 else True)


class LargeBodies:
    """Takes them in."""

    def __init__(self, files: FileStore, *, max_file: int, max_body: int, reserve: int) -> None:
        """``max_file``: bytes of the largest file (``media.max_size``). ``max_body``: of all that is no file.

        ``reserve``: bytes of the disk that are kept free.
        """
        self._files = files
        self._most = base64_size(max_file) + max_body
        self._max_body = max_body
        self._reserve = reserve
        self._turns = trio.CapacityLimiter(AT_ONCE)

    @asynccontextmanager
    async def taking(self, request: Request, receive: Receive, held: Held) -> AsyncIterator[BodyOnDisk]:
        """The whole body while the context is open, whoever sends it: the time must not tell whether it is wanted.

        Raises:
            TooLargeError: over the limits. RequestTimeoutError: it did not come in time. UnavailableError: too many at
            once. StorageError: the disk takes no more. ClientGoneError.
        """
        length = request.headers.get("content-length", "")
        if length and not length.isdigit():
            raise BadRequestError("Content-Length is not a number", field="Content-Length")
        if len(length) > 18 or int(length or 0) > self._most:
            raise TooLargeError("the body is over media.max_size in base64")
        with trio.move_on_after(TURN) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            raise UnavailableError("too many large bodies are in transit")
        try:
            async with self._files.writing() as disk:
                if await self._files.free() < self._reserve + int(length or 0):
                    raise UnavailableError("the disk has no room for this body (limits.reserve)")
                body = BodyOnDisk(disk, most=self._max_body, limit="server.max_body", take=held.take)
                await self._read(receive, body)
                yield body
        finally:
            self._turns.release()

    async def _read(self, receive: Receive, body: BodyOnDisk) -> None:
        size, more = 0, True
        with trio.move_on_after(LARGE_PATIENCE) as patience:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size > self._most:
                    raise TooLargeError("the body is over media.max_size in base64")
                await body.write(piece)
                more = bool(message.get("more_body", False))
        if patience.cancelled_caught:
            raise RequestTimeoutError(f"the body did not arrive within {LARGE_PATIENCE:g} s")
