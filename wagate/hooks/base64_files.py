"""Files that go out inside a JSON request, in base64: for providers that take no uploads and reach no URL of ours."""

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
"""Bytes of a file that goes out so."""
WAIT = 15.0
"""Seconds that one waits for its place."""
_AT_ONCE = 2
"""Such files in memory at a time, for each provider."""


class Base64Files:
    """What one provider has in memory of them."""

    def __init__(self) -> None:
        self._places = trio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Room for one. NotSentError: there is none for now."""
        with trio.move_on_after(WAIT) as waited:
            await self._places.acquire()
        if waited.cancelled_caught:
            raise NotSentError("other files are still on their way", after=WAIT, slow="account")
        try:
            yield
        finally:
            self._places.release()


def goes_along(file: OutFile, *, wanted: bool) -> bool:
    """Whether the bytes go in the request: they are wanted there, or there is no URL, and we hold the file."""
    return file.path is not None and (wanted or not file.url)


def mark_of(file: OutFile) -> str:
    """A text to put where the file's base64 belongs, for `filled`. SendRefusedError: the file is over `MOST`."""
    if file.size is not None and file.size > MOST:
        raise _too_large()
    return f"file-{secrets.token_hex(16)}"


async def filled(body: Mapping[str, Any], mark: str, path: Path) -> bytes:
    """The body as JSON with the file's base64 in place of the mark. SendRefusedError: it is too large, or gone."""
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
    return SendRefusedError(f"the file is over {MOST // 2**20} MiB, the most that goes out in a request")
