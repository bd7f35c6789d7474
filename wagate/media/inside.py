"""A JSON body with a file in base64 inside: all goes to disk as it comes, and what is not the file stays at hand."""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Callable
from secrets import token_hex
from typing import Any

import trio

from wagate.errors import NotFoundError, TooLargeError
from wagate.media.base64 import SLICE, Decoder, decoded, file_at
from wagate.media.files import Writing
from wagate.parsing.cut import Cutter

KEY = "data"
"""What engines of the whatsapp-web.js family call a file's letters (source: its class MessageMedia)."""


STEP = 8192
"""Bytes that are looked through at a time: of nothing but quotes 6 ms, and several bodies come at once."""


class BodyOnDisk:
    """Takes a body piece by piece."""

    def __init__(self, disk: Writing, *, most: int, limit: str, take: Callable[[int], None]) -> None:
        """``most``: bytes of what is not the file; ``limit`` names that limit; ``take`` counts bytes held in memory."""
        self._take = take
        self._disk = disk
        self._most = most
        self._limit = limit
        self._cutter = Cutter(KEY, mark=token_hex(16))
        self._rest = bytearray()
        self.size = 0
        """Bytes so far."""

    async def write(self, piece: bytes) -> None:
        """The next piece.

        Raises:
            TooLargeError: what is not the file is too long. UnavailableError: there is no room for it.
            StorageError: the disk takes no more.
        """
        for at in range(0, len(piece), STEP):
            rest = self._cutter.feed(piece[at : at + STEP])
            self._take(len(rest))
            self._rest += rest
            if len(self._rest) > self._most:
                raise TooLargeError(f"the body without its file is over {self._limit}")
            await trio.lowlevel.checkpoint()
        self.size += len(piece)
        await self._disk.write(piece)

    def rest(self) -> bytes:
        """The body with a mark in the place of its file."""
        return bytes(self._rest) + self._cutter.end()

    async def whole(self) -> bytes | None:
        """All of it, when that is no more than what is not the file may be; else None. UnavailableError: no room."""
        if self.size > self._most:
            return None
        self._take(self.size)
        return b"".join([piece async for piece in self._disk.read(0, self.size, SLICE)])

    async def hmac(self, secret: bytes, algorithm: str) -> str:
        """Of the whole body, in hex."""
        digest = hmac.new(secret, digestmod=algorithm)
        async for piece in self._disk.read(0, self.size, SLICE):
            digest.update(piece)
        return digest.hexdigest()

    async def file(self, document: object, place: str) -> AsyncGenerator[bytes, None]:
        """The bytes of the file at a place of the parsed `rest`, like ``data.messageMedia``.

        Raises:
            NotFoundError: there is none. ValueError: it is not base64.
        """
        text: Any = file_at(document, place).get(KEY)
        if not isinstance(text, str) or not text:
            raise NotFoundError("the body does not hold the file")
        if text not in self._cutter.places:
            for chunk in decoded(text):
                yield chunk
            return
        decoder = Decoder(escaped=True)
        async for letters in self._disk.read(*self._cutter.places[text], SLICE):
            yield decoder.feed(letters)
        yield decoder.end()
