"""How a file goes out: the engine fetches its URL, or gets its bytes in the request."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from wagate.errors import NotSentError, SendRefusedError
from wagate.hooks import Outgoing
from wagate_session.settings import settings_of

MOST = 16 * 2**20
"""Bytes of a file that goes out in base64."""
_AT_ONCE = 2
"""Such files in memory at a time, for each gateway."""
WAIT = 15.0
"""Seconds that one waits for its place."""


class Files:
    """What one gateway has in memory of them."""

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


def file_content(outgoing: Outgoing) -> dict[str, Any]:
    """``contentType`` and ``content``; when the bytes must go along, a mark is in ``data`` that `with_file` replaces.

    Raises:
        SendRefusedError: it can go neither way.
    """
    file = outgoing.file
    if file is None:
        raise SendRefusedError(f"a message of type {outgoing.message.type!r} needs a file")
    if in_body(outgoing):
        if file.size is not None and file.size > MOST:
            raise SendRefusedError(f"the file is over {MOST // 2**20} MiB, the most that goes out in a request")
        mark = f"file-{secrets.token_hex(16)}"
        content = {"mimetype": file.mimetype, "data": mark, "filename": file.filename}
        return {"contentType": "MessageMedia", "content": content}
    if not file.url:
        raise SendRefusedError("the engine can't fetch this file: it has no URL, and we don't hold it")
    named = {"filename": file.filename}
    return {"contentType": "MessageMediaFromURL", "content": file.url, "mediaFromURLOptions": named}


def in_body(outgoing: Outgoing) -> bool:
    """Whether the bytes go along: the account wants that, or there is no URL, and we hold the file."""
    file = outgoing.file
    assert file is not None
    return file.path is not None and (settings_of(outgoing.account).media == "base64" or not file.url)


async def with_file(body: dict[str, Any], path: Path) -> bytes:
    """The request's body with the file's bytes in place of the mark. SendRefusedError: it is too large, or gone."""
    mark = body["content"]["data"].encode()
    return await trio.to_thread.run_sync(_filled, msgspec.json.encode(body), mark, path)


def _filled(body: bytes, mark: bytes, path: Path) -> bytes:
    # The base64 is put in as bytes: as text, JSON would make two more copies of it.
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise SendRefusedError(f"the file is no longer there: {error.strerror}") from error
    if len(data) > MOST:
        raise SendRefusedError(f"the file is over {MOST // 2**20} MiB, the most that goes out in a request")
    before, _, after = body.partition(mark)
    return b"".join((before, base64.b64encode(data), after))
