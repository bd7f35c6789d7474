"""Bodies with files inside, which go to disk as they come: large ones, a few at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from wagate.errors import BadRequestError, RequestTimeoutError, TooLargeError, UnavailableError
from wagate.media.files import FileStore
from wagate.media.inside import BodyOnDisk
from wagate.media.source import base64_size
from wagate.web.http.asgi import ClientGoneError, Receive, Request
from wagate.web.http.bodies import Held

SHORT: Final = 1024 * 1024
"""Bytes of a body up to which it is held in memory."""
AT_ONCE: Final = 8
PATIENCE: Final = 300.0
"""Seconds for a whole body, however it drips."""
TURN: Final = 60.0
"""Seconds that one waits for its turn; engines don't send a webhook again."""


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
    async def taking(
        self, request: Request, receive: Receive, held: Held, *, keep: bool
    ) -> AsyncIterator[BodyOnDisk | None]:
        """The whole body while the context is open; None when it is not to be kept: then it was read all the same.

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
            raise UnavailableError("too many large bodies are on their way")
        try:
            async with self._files.writing() as disk:
                if keep and await self._files.free() < self._reserve + int(length or 0):
                    raise UnavailableError("the disk has no room for this body (limits.reserve)")
                body = BodyOnDisk(disk, most=self._max_body, limit="server.max_body", take=held.take)
                await self._read(receive, body if keep else None)
                yield body if keep else None
        finally:
            self._turns.release()

    async def _read(self, receive: Receive, body: BodyOnDisk | None) -> None:
        size, more = 0, True
        with trio.move_on_after(PATIENCE) as patience:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size > self._most:
                    raise TooLargeError("the body is over media.max_size in base64")
                if body is not None:
                    await body.write(piece)
                more = bool(message.get("more_body", False))
        if patience.cancelled_caught:
            raise RequestTimeoutError(f"the body did not come within {PATIENCE:g} s")
