"""The files as everybody sees them: links, open files, files taken in. `wagate.hooks.media.MediaStore`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.config.tables import Limits
from wagate.errors import (
    ConflictError,
    NoRoomError,
    NotFoundError,
    NotSentError,
    SendRefusedError,
    TooLargeError,
    UnprocessableError,
)
from wagate.events import Event
from wagate.events import Media as EventMedia
from wagate.events.kinds import MEDIA_ARRIVED
from wagate.hooks.messages import OutFile, OutMedia, OutMessage
from wagate.http import (
    AddressNotAllowedError,
    BadUrlError,
    HttpClient,
    HttpError,
    TooLongError,
    on_behalf_of,
)
from wagate.media.fetch import Fetcher, LateFiles
from wagate.media.files import FileStore, Writing
from wagate.media.links import Links
from wagate.media.sniff import chosen, safe_name
from wagate.media.source import settle_file
from wagate.storage import media as rows
from wagate.storage.database import Database
from wagate.storage.media import FAILED, GONE, MEDIA_ID, Kept, MediaRow, has_file, sent_by_us

OF_FILE = "the message's file: "
"""How the reasons begin that are about a message's file."""
FETCHING = 60.0
"""Seconds for a file that a message names by its link."""
PATIENCE = 30.0
"""Seconds that who asks for a file waits for it."""


class Incoming(Protocol):
    """A file on its way in. What it says of itself is looked at after its last chunk."""

    @property
    def filename(self) -> str:
        """As told, unsafe."""

    @property
    def mimetype(self) -> str:
        """As told; '' when not told."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes."""


@dataclass(frozen=True)
class _GivenFile:
    """A file whose name and type are known before its bytes."""

    bytes_: AsyncIterator[bytes]
    filename: str
    mimetype: str

    def chunks(self) -> AsyncIterator[bytes]:
        return self.bytes_


@dataclass(frozen=True, kw_only=True)
class HeldFile:
    """`wagate.hooks.media.MediaFile`."""

    mimetype: str
    filename: str
    size: int
    path: Path
    sha256: str
    files: FileStore

    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Its bytes from ``start`` to ``stop``, 64 KiB at a time. FileNotFoundError when it is deleted meanwhile."""
        return self.files.chunks(self.path, start, self.size if stop is None else stop)


class Media:
    """All that the process knows about files."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        fetcher: Fetcher,
        links: Links,
        clock: Clock,
        *,
        late: LateFiles,
        http: HttpClient,
        caps: Limits,
        max_size: int,
    ) -> None:
        """``caps``: what a client may keep; ``max_size``: bytes of the largest file."""
        self._caps = caps
        self._http = http
        self.links = links
        self.max_size = max_size
        self._database = database
        self._files = files
        self._fetcher = fetcher
        self._late = late
        self._clock = clock

    def writing(self) -> AbstractAsyncContextManager[Writing]:
        """`wagate.media.files.FileStore.writing`."""
        return self._files.writing()

    def url(self, event: Event) -> str | None:
        """The link to the event's file; None when it has none."""
        media_id = _id_of(event)
        if media_id is None or event.media is None:
            return None
        name = safe_name(event.media.filename, event.media.mimetype, otherwise=event.type)
        return self.links.url(media_id, name, since=event.created_at)

    def link(self, row: MediaRow) -> str:
        """The link to a file whose row is known."""
        return self.links.url(row.id, safe_name(row.filename, row.mimetype), since=row.created_at)

    async def open(self, event: Event, *, patience: float = PATIENCE) -> HeldFile:
        """The event's file, fetched first if need be.

        Raises:
            NotFoundError: it has none, or it is gone. UnavailableError: not fetched within ``patience`` seconds.
        """
        media_id = _id_of(event)
        if media_id is None:
            raise NotFoundError("no file that can be fetched came with this event")
        return await self.open_id(media_id, client_id=event.client_id, patience=patience)

    async def open_id(self, media_id: str, *, client_id: int | None = None, patience: float = PATIENCE) -> HeldFile:
        """A file by its id; with ``client_id`` only that client's. Raises as `open`."""
        row = await self._fetcher.wait_for(media_id, client_id=client_id, patience=patience)
        if row.status == GONE:
            raise NotFoundError("this file was deleted: it was older than retention.media")
        if row.status == FAILED:
            raise NotFoundError(f"this file could not be fetched: {row.error}")
        if not await self._files.has(row.sha256):
            if row.direction == "out":
                raise NotFoundError("this file is no longer on this machine's disk")
            await self._database.write(rows.refetch, row, now=self._clock.now())
            return await self.open_id(media_id, client_id=client_id, patience=patience)
        return self._held(row)

    async def follow(self, event: Event, *, handler: str, target: str) -> bool:
        """See `wagate.hooks.media.MediaStore.follow`."""
        media_id = _id_of(event)
        if media_id is None or not await self._late.follow(media_id, handler=handler, target=target):
            return False
        self._fetcher.followed()
        return True

    async def take_coming(self, chunks: AsyncIterator[bytes], media: EventMedia, *, kind: str, told: str) -> Kept:
        """Take in the file of a message that came in. ``kind``: the message's type; ``told``: the file's.

        Raises:
            TooLargeError. NotFetchedError: it is none. StorageError. What ``chunks`` raises.
        """
        size = 0
        async with self._files.writing() as writing:
            async for chunk in chunks:
                size += len(chunk)
                if size > self.max_size:
                    raise TooLargeError(f"the file is over {self.max_size} bytes (media.max_size)")
                await writing.write(chunk)
            return await settle_file(writing, media, kind, told)

    async def came(self, media_id: str, kept: Kept) -> None:
        """A file that came in by itself is on the disk. StorageError: that could not be written down."""
        await self._late.keep(media_id, kept)
        self._fetcher.settled()

    async def get(self, media_id: str, *, client_id: int | None) -> MediaRow:
        """A file's row. NotFoundError."""
        return await self._database.read(rows.get_media, media_id, client_id=client_id)

    async def keep(
        self, chunks: AsyncIterator[bytes], *, client_id: int, filename: str = "", mimetype: str = ""
    ) -> OutMedia:
        """Take in a file to send. TooLargeError, StorageError; UnprocessableError when it is empty."""
        row = await self.take_in(_GivenFile(chunks, filename, mimetype), client_id=client_id)
        return OutMedia(media_id=row.id, mimetype=row.mimetype, filename=row.filename)

    async def take_in(self, incoming: Incoming, *, client_id: int) -> MediaRow:
        """`keep` for a file whose name and type may come with its bytes; its row.

        Raises:
            ConflictError, NoRoomError: the client, or the disk, keeps all that it may; as `keep` otherwise.
        """
        room = await self._room(client_id)
        size = 0
        async with self._files.writing() as writing:
            async for chunk in incoming.chunks():
                size += len(chunk)
                if size > self.max_size:
                    raise TooLargeError(f"the file is over {self.max_size} bytes (media.max_size)")
                if size > room:
                    raise NoRoomError(f"the client's files may take {self._caps.stored} in all (limits.stored)")
                await writing.write(chunk)
            if not size:
                raise UnprocessableError("the file is empty", field="file")
            written = await writing.finish()
        kind = chosen(incoming.mimetype, written.head)
        kept = Kept(
            sha256=written.sha256, mimetype=kind, filename=safe_name(incoming.filename, kind), size=written.size
        )
        return await self._database.write(rows.insert_outbound, str(uuid7()), client_id, kept, now=self._clock.now())

    async def _room(self, client_id: int) -> int:
        """Bytes that a client may still bring. What comes in from WhatsApp never asks."""
        held = await self._database.read(rows.holding, client_id)
        if held.uploads >= self._caps.uploads:
            raise ConflictError(f"the client stores {held.uploads} files to send, its limit (limits.uploads)")
        free = await self._files.free()
        if free < self._caps.reserve:
            raise NoRoomError(f"the disk has {free} bytes left; {self._caps.reserve} are kept free (limits.reserve)")
        return min(self._caps.stored - held.stored, free - self._caps.reserve)

    async def delete(self, media_id: str, *, client_id: int | None) -> None:
        """Forget a file to send. NotFoundError."""
        await self._database.write(rows.delete_upload, media_id, client_id=client_id, now=self._clock.now())

    async def file_of(self, message: OutMessage, client_id: int, fetch: bool = False) -> OutFile | None:
        """The file of a message, made ready for its provider; None when it has none.

        ``fetch``: one that stands elsewhere is fetched first, behind the guard, instead of by an engine inside.

        Raises:
            SendRefusedError: it names a file that this client does not have (any more), or that nobody may fetch, or
                that is empty.
            NotSentError: it could not be fetched.
        """
        media = message.media
        if media is None:
            return None
        if fetch:
            media = await self.at_hand(media, client_id)
        if not media.media_id:
            name = safe_name(media.filename or _last(media.url), media.mimetype, otherwise=message.type)
            return OutFile(mimetype=media.mimetype, filename=name, url=media.url)
        try:
            held = await self.open_id(media.media_id, client_id=client_id)
            row = await self.get(media.media_id, client_id=client_id)
        except NotFoundError as error:
            raise SendRefusedError(f"{OF_FILE}{error.detail}") from error
        if not held.size:
            raise SendRefusedError(f"{OF_FILE}it is empty")
        url = self.link(row)
        return OutFile(
            mimetype=media.mimetype or held.mimetype,
            filename=safe_name(media.filename or held.filename, held.mimetype),
            url="" if url.startswith("/") else url,
            path=held.path,
            size=held.size,
        )

    async def at_hand(self, media: OutMedia, client_id: int) -> OutMedia:
        """The file as one that we hold: one that stands elsewhere is fetched, behind the guard. Raises as `file_of`."""
        if not media.url or media.media_id or self.links.are_ours(media.url):
            return media
        return await self._fetched(media, client_id)

    async def _fetched(self, media: OutMedia, client_id: int) -> OutMedia:
        try:
            with on_behalf_of(client_id):
                async with self._files.writing() as writing:
                    got = await self._http.download(media.url, writing.write, limit=self.max_size, timeout=FETCHING)
                    if got.status != 200:
                        raise NotSentError(f"{OF_FILE}its link answers {got.status}")
                    if not writing.head:
                        raise SendRefusedError(f"{OF_FILE}its link leads to an empty file")
                    written = await writing.finish()
        except (AddressNotAllowedError, BadUrlError, TooLongError) as error:
            raise SendRefusedError(f"{OF_FILE}{error.reason}") from error
        except HttpError as error:
            raise NotSentError(f"{OF_FILE}{error.reason}") from error
        kind = chosen(media.mimetype or got.content_type, written.head)
        name = safe_name(media.filename or _last(media.url), kind)
        kept = Kept(sha256=written.sha256, mimetype=kind, filename=name, size=written.size)
        row = await self._database.write(rows.insert_fetched, str(uuid7()), client_id, kept, now=self._clock.now())
        return OutMedia(media_id=row.id, mimetype=row.mimetype, filename=row.filename)

    def _held(self, row: MediaRow) -> HeldFile:
        assert row.size is not None
        return HeldFile(
            mimetype=row.mimetype,
            filename=row.filename,
            size=row.size,
            path=self._files.path(row.sha256),
            sha256=row.sha256,
            files=self._files,
        )


def _id_of(event: Event) -> str | None:
    """Under which id its file is kept; None when it has none that we hold or can fetch."""
    if sent_by_us(event) or event.kind == MEDIA_ARRIVED:
        found = event.extra.get(MEDIA_ID)
        return found if isinstance(found, str) else None
    return event.id if has_file(event) else None


def _last(url: str) -> str:
    """The last part of a URL's path: as good a name as any."""
    return unquote(urlsplit(url).path.rpartition("/")[2])
