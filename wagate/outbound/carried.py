"""A file of an event, brought by the process that holds its account, through the folder that all of them share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from wagate.errors import NotSentError, SendRefusedError
from wagate.events import Media
from wagate.hooks.listening import Sink
from wagate.hooks.providers import ProviderAccount
from wagate.media.files import FileStore

LONGEST: Final = 600.0
"""Seconds for a whole file, as where nothing is carried."""

Fetch = Callable[[Media, ProviderAccount, Sink], Awaitable[None]]
Ask = Callable[[Media, str, ProviderAccount], Awaitable[Any]]
"""Has the holder write the file at a path; gives its size."""


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """Both ends."""

    files: FileStore
    most: int
    """Bytes of the largest file."""

    async def take(self, ask: Ask, media: Media, account: ProviderAccount, sink: Sink) -> None:
        """Where it is wanted. NotSentError: it did not arrive; else what the holder and the sink raise."""
        async with self.files.writing() as writing:
            size = await ask(media, str(writing.path.absolute()), account)
            there = await self.files.run(lambda: writing.path.stat().st_size)
            if there != size:
                raise NotSentError(f"{there} of {size} bytes arrived; is media.dir one folder for all processes?")
            async for chunk in self.files.chunks(writing.path, 0, size):
                await sink(chunk)

    async def bring(self, fetch: Fetch, media: Media, path: str, account: ProviderAccount) -> int:
        """Where the account is held; the file's size. NotSentError: there is no such folder here."""
        place, size = Path(path), 0
        try:
            file = await self.files.run(lambda: place.open("r+b"))
        except FileNotFoundError as error:
            raise NotSentError("media.dir has not the same path in all processes") from error

        async def sink(part: bytes) -> None:
            nonlocal size
            size += len(part)
            if size > self.most:
                raise SendRefusedError(f"it is larger than {self.most} bytes")
            await self.files.run(lambda: file.write(part))

        try:
            await fetch(media, account, sink)
        finally:
            with trio.CancelScope(shield=True):
                await self.files.run(file.close)
        return size
