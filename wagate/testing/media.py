"""Files in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from uuid_utils import uuid7

from wagate.errors import NotFoundError, UnavailableError
from wagate.events import Event, kinds
from wagate.hooks.messages import OutMedia


@dataclass(frozen=True)
class FakeFile:
    """`wagate.hooks.media.MediaFile`, without a place on any disk."""

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
    """`wagate.hooks.media.MediaStore`; put what an event brings into ``files`` by the event's id."""

    def __init__(self) -> None:
        self.files: dict[str, FakeFile] = {}
        self.kept: dict[str, FakeFile] = {}
        """What was taken in, by its ``media_id``."""
        self.pending: set[str] = set()
        """Ids of events whose file is still being fetched; take one out when it is in ``files``, or gave up."""
        self.followed: list[tuple[str, str, str]] = []
        """(event id, handler, target) of what is to be told when it comes."""

    def url(self, event: Event) -> str | None:
        """The link of every event that brings a file."""
        return None if event.media is None else f"https://gateway.example/media/{event.id}/file?exp=1&sig=x"

    async def open(self, event: Event, *, patience: float = 30.0) -> FakeFile:  # noqa: ARG002
        """The event's file, without waiting."""
        media_id = _id_of(event)
        if media_id in self.pending:
            raise UnavailableError("the file is still being fetched; try again")
        if media_id not in self.files:
            raise NotFoundError("no file came with this event")
        return self.files[media_id]

    async def follow(self, event: Event, *, handler: str, target: str) -> bool:
        """Remember it in ``followed``; the test makes the event ``media.arrived``."""
        media_id = _id_of(event)
        if event.media is None or media_id in self.files:
            return False
        self.followed.append((media_id, handler, target))
        return True

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


def _id_of(event: Event) -> str:
    return str(event.extra["media_id"]) if event.kind == kinds.MEDIA_ARRIVED else event.id
