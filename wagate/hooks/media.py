"""Files as plugins see them: part of a plugin's context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from wagate.events import Event
from wagate.hooks.messages import OutMedia


class MediaFile(Protocol):
    """A stored file, open for reading."""

    @property
    def mimetype(self) -> str:
        """Its type: from its first bytes, else as declared."""

    @property
    def filename(self) -> str:
        """A safe name, with an extension that fits the type."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def path(self) -> Path:
        """Where the file is. Only read it."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, 64 KiB at a time, read outside the event loop."""


class MediaStore(Protocol):
    """Files that came with messages, and files to send. They are never held in memory as a whole."""

    def url(self, event: Event) -> str | None:
        """A signed URL on ``server.public_url`` at which anyone can fetch the event's file for a while; None: no file.

        It stays the same for a day, so that a retried delivery has the same body. Without ``public_url`` it is a path
        that begins with ``/``.
        """

    async def open(self, event: Event, *, patience: float = 30.0) -> MediaFile:
        """The event's file, fetched from the provider if needed.

        Raises:
            NotFoundError: it has none, or it is gone. UnavailableError: not fetched within ``patience`` seconds.
        """

    async def follow(self, event: Event, *, handler: str, target: str) -> bool:
        """Be told when the file of an event comes that `open` did not give: it may come minutes later.

        The handler then gets an event of kind ``media.arrived`` for this target, in its place in the chat; `open` and
        `url` take it as they take the message's own. False: `open` gives the file now, or it can't come any more.
        """

    async def keep(
        self, chunks: AsyncIterator[bytes], *, client_id: int, filename: str = "", mimetype: str = ""
    ) -> OutMedia:
        """Store a file to send. Without ``mimetype``, its first bytes decide the type. TooLargeError."""
