"""Files in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from uuid_utils import uuid7

from wagate.errors import NotFoundError
from wagate.events import Event
from wagate.hooks.messages import OutMedia


@dataclass(frozen=True)
class FakeFile:
    """`wagate.hooks.context.MediaFile`, without a place on any disk."""

    body: bytes
    mimetype: str = "application/octet-stream"
    filename: str = "file"
    path: Path = Path("/nowhere")

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        yield self.body


class FakeMedia:
    """`wagate.hooks.context.MediaStore`; put what an event brings into ``files`` by the event's id."""

    def __init__(self) -> None:
        self.files: dict[str, FakeFile] = {}
        self.kept: dict[str, FakeFile] = {}
        """What was taken in, by its ``media_id``."""

    def url(self, event: Event) -> str | None:
        """The link of every event that brings a file."""
        return None if event.media is None else f"https://gateway.example/media/{event.id}/file?exp=1&sig=x"

    async def open(self, event: Event, *, patience: float = 30.0) -> FakeFile:  # noqa: ARG002
        """The event's file."""
        if event.id not in self.files:
            raise NotFoundError("no file came with this event")
        return self.files[event.id]

    async def keep(
        self,
        chunks: AsyncIterator[bytes],
        *,
        client_id: int,  # noqa: ARG002
        filename: str = "",
        mimetype: str = "",
    ) -> OutMedia:
        """Take in a file."""
        media_id = str(uuid7())
        body = b"".join([chunk async for chunk in chunks])
        self.kept[media_id] = FakeFile(body, mimetype or "application/octet-stream", filename or "file")
        return OutMedia(media_id=media_id, mimetype=mimetype, filename=filename)
