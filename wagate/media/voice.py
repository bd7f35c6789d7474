"""Recordings as WhatsApp shows them: OGG with Opus. What is something else is converted, if PyAV is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from io import SEEK_END, BytesIO
from pathlib import Path, PurePath
from tempfile import SpooledTemporaryFile
from typing import IO, Final, cast

import structlog
import trio
from msgspec.structs import replace

from wagate.errors import NotFoundError, NotSentError, RequestError, SendRefusedError, StorageError
from wagate.hooks.messages import OutMedia, OutMessage
from wagate.media.failure import NotConvertedError
from wagate.media.sniff import HEAD, essence, sniff
from wagate.media.store import OF_FILE, HeldFile, Media

OPUS: Final = "audio/ogg; codecs=opus"
LARGEST: Final = 64 * 1024**2
"""Bytes of a file that is converted."""
PATIENCE: Final = 20.0
"""Seconds for one."""
AT_ONCE: Final = 1
"""An hour of sound takes about 20 s of one core: the others are for messages."""
IN_MEMORY: Final = 1024**2
CHUNK: Final = 64 * 1024
MOST: Final = 200
"""Recordings that are remembered: one to many chats is converted once."""
_DEMUXERS: Final = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/mp4": "mov",
    "video/mp4": "mov",
    "video/3gpp": "mov",
    "video/webm": "matroska",
    "audio/ogg": "ogg",
}
"""By the file's first bytes."""

log = structlog.get_logger("wagate.media")


def can_convert() -> bool:
    """Whether PyAV is installed (``pip install 'wagate[voice]'``)."""
    return importlib.util.find_spec("av") is not None


class Voices:
    """Makes voice messages ready for providers that take only Opus."""

    def __init__(self, media: Media) -> None:
        """Call inside trio."""
        self._media = media
        self._limiter = trio.CapacityLimiter(AT_ONCE)
        self._done: OrderedDict[tuple[int, str], OutMedia] = OrderedDict()

    async def __call__(self, message: OutMessage, client_id: int) -> OutMessage:
        """The voice message with Opus, or as a sound file when it can't be made; the log says why.

        Raises:
            SendRefusedError: it names a file that this client does not have (any more), or that nobody may fetch.
            NotSentError: it could not be fetched, or not be stored.
        """
        media = message.media
        if media is None or (essence(media.mimetype) in {"audio/ogg", "audio/opus"} and not media.media_id):
            return message
        media = await self._media.at_hand(media, client_id)
        if not media.media_id:
            return message  # one of our own links: whoever made it knows what it leads to
        try:
            held = await self._media.open_id(media.media_id, client_id=client_id)
            return replace(message, media=await self._made(held, media, client_id))
        except NotConvertedError as error:
            log.warning("voice not converted", reason=str(error), media_id=media.media_id)
            return replace(message, type="audio", media=media)
        except NotFoundError as error:
            raise SendRefusedError(f"{OF_FILE}{error.detail}") from error
        except StorageError as error:
            raise NotSentError(f"the recording could not be converted: {error}") from error

    async def _made(self, held: HeldFile, media: OutMedia, client_id: int) -> OutMedia:
        """Its file with Opus. NotConvertedError."""
        head = await self._head(held)
        if _is_opus(head):
            return replace(media, mimetype=OPUS)
        key = (client_id, held.sha256)
        if key not in self._done:
            self._done[key] = await self._converted(held, head, media, client_id)
            while len(self._done) > MOST:
                self._done.popitem(last=False)
        return self._done[key]

    async def _converted(self, held: HeldFile, head: bytes, media: OutMedia, client_id: int) -> OutMedia:
        demuxer = _demuxer(head)
        if held.size > LARGEST:
            raise NotConvertedError(f"it is over {LARGEST // 1024**2} MiB")
        with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            into = cast(IO[bytes], file)
            await trio.to_thread.run_sync(partial(_convert, held.path, demuxer, into), limiter=self._limiter)
            name = f"{PurePath(media.filename or held.filename).stem}.ogg"
            try:
                return await self._media.keep(_chunks(into), client_id=client_id, filename=name, mimetype=OPUS)
            except RequestError as error:
                raise NotConvertedError(error.detail) from error

    async def _head(self, held: HeldFile) -> bytes:
        async with aclosing(held.chunks(0, HEAD)) as chunks:
            return b"".join([chunk async for chunk in chunks])


def as_opus(given: Path | IO[bytes]) -> bytes:
    """The sound of a file as OGG with Opus; what is that already, as it is. For a thread.

    Raises:
        NotConvertedError: PyAV is not installed, or it is no sound, or over a limit. FileNotFoundError: it is gone.
    """
    with given.open("rb") if isinstance(given, Path) else given as file:
        size = file.seek(0, SEEK_END)
        if size > LARGEST:
            raise NotConvertedError(f"it is over {LARGEST // 1024**2} MiB")
        file.seek(0)
        head = file.read(HEAD)
        file.seek(0)
        if _is_opus(head):
            return file.read()
        into = BytesIO()
        _convert(file, _demuxer(head), into)
        return into.getvalue()


def _is_opus(head: bytes) -> bool:
    return head.startswith(b"OggS") and b"OpusHead" in head[:512]


def _demuxer(head: bytes) -> str:
    if not can_convert():
        raise NotConvertedError("PyAV is not installed: wagate[voice]")
    demuxer = _DEMUXERS.get(sniff(head))
    if demuxer is None:
        raise NotConvertedError("it is not audio that can be converted")
    return demuxer


def _convert(path: Path | IO[bytes], demuxer: str, into: IO[bytes]) -> None:
    opus = importlib.import_module("wagate.media.opus")  # here, because PyAV is 100 MB that many never need
    opus.encode(path, demuxer, into, patience=PATIENCE)
    into.seek(0)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await trio.to_thread.run_sync(file.read, CHUNK):
        yield chunk
