"""Files in base64 inside a JSON request: for providers that take no uploads and can't fetch URLs of wagate."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks.messages import OutFile

MOST = 16 * 2**20
"""Most bytes of such a file."""
WAIT = 15.0
"""Seconds that a file waits for its turn."""
_AT_ONCE = 2
"""Files in memory at the same time, for each provider."""


class Base64Files:
    """Limits how many files one provider holds in memory."""

    def __init__(self) -> None:
        self._places = trio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A turn for one file. NotSentError: too many others wait."""
        with trio.move_on_after(WAIT) as waited:
            await self._places.acquire()
        if waited.cancelled_caught:
            raise NotSentError("other files are still being transferred", after=WAIT, slow="account")
        try:
            yield
        finally:
            self._places.release()


def goes_along(file: OutFile, *, wanted: bool) -> bool:
    """Whether the file's bytes go into the request: wagate stores it, and the bytes are wanted or it has no URL."""
    return file.path is not None and (wanted or not file.url)


def mark_of(file: OutFile) -> str:
    """A placeholder for the file's base64, which `filled` replaces. SendRefusedError: the file is over `MOST`."""
    if file.size is not None and file.size > MOST:
        raise _too_large()
    return f"file-{secrets.token_hex(16)}"


async def filled(body: Mapping[str, Any], mark: str, path: Path) -> bytes:
    """The body as JSON, with base64 in place of the placeholder. SendRefusedError: the file is too large, or gone."""
    return await trio.to_thread.run_sync(_filled, msgspec.json.encode(body), mark.encode(), path)


def _filled(body: bytes, mark: bytes, path: Path) -> bytes:
    # The base64 is put in as bytes: as text, JSON would make two more copies of it.
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise SendRefusedError(f"the file is no longer there: {error.strerror}") from error
    if len(data) > MOST:
        raise _too_large()
    before, _, after = body.partition(mark)
    return b"".join((before, base64.b64encode(data), after))


def _too_large() -> SendRefusedError:
    return SendRefusedError(f"the file is over {MOST // 2**20} MiB, the limit for one request")
