"""A file that came inside a session engine's webhook: kept for its message, whichever webhook brought that."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec.structs import replace

from wagate.errors import TooLargeError, UnprocessableError
from wagate.events import NewEvent
from wagate.media.base64 import decoded, file_at, inline_data
from wagate.media.failure import NotFetchedError
from wagate.media.inside import BodyOnDisk
from wagate.media.store import Media
from wagate.parsing.fields import first_text
from wagate.storage.media import FOLLOWS, INLINE, Kept


class Arriving(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook's body."""

    body: bytes
    document: dict[str, Any]
    """The body, parsed."""
    on_disk: BodyOnDisk | None
    """The whole of it, when ``body`` has marks in place of files."""

    def has_file(self, event: NewEvent) -> bool:
        """Whether it holds the file of its event."""
        return INLINE in event.extra and event.media is not None

    def as_stored(self, event: NewEvent) -> NewEvent:
        """The event as it can be stored: what is on disk is not in the stored body, but comes in a moment."""
        if self.on_disk is None or INLINE not in event.extra:
            return event
        extra = {name: value for name, value in event.extra.items() if name != INLINE}
        return replace(event, extra=extra | {FOLLOWS: True})

    async def kept(self, event: NewEvent, media: Media) -> Kept:
        """The file, on the disk for good.

        Raises:
            UnprocessableError, TooLargeError: it is none, or too large. StorageError: the disk takes no more.
        """
        place = event.extra[INLINE]
        assert event.media is not None
        told = first_text(file_at(self.document, place), "mimetype")
        try:
            async with aclosing(self._chunks(place)) as chunks:
                return await media.take_coming(chunks, event.media, kind=event.type, told=told)
        except (ValueError, NotFetchedError) as error:
            detail = f"the message is stored, but its file is none that can be kept: {error}"
            raise UnprocessableError(detail, field=f"{place}.data") from error
        except TooLargeError as error:
            raise TooLargeError(f"the message is stored, but {error}") from error

    async def _chunks(self, place: str) -> AsyncGenerator[bytes, None]:
        if self.on_disk is not None:
            async with aclosing(self.on_disk.file(self.document, place)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        for chunk in decoded(inline_data(self.body, place)):
            yield chunk
