"""Recordings that are sent, as WhatsApp shows them: OGG with Opus. What is something else is converted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path, PurePath
from typing import Final

import structlog
import trio
from msgspec.structs import replace

from wagate.errors import NotFoundError, NotSentError, RequestError, SendRefusedError, StorageError
from wagate.hooks.messages import OutMedia, OutMessage
from wagate.media.convert import OPUS, VOICE, converted, is_opus
from wagate.media.failure import NoConverterError, NotConvertedError
from wagate.media.sniff import HEAD, essence
from wagate.media.store import OF_FILE, HeldFile, Media

AT_ONCE: Final = 1
"""An hour of sound takes about 20 s of one core: the others are for messages."""
CHUNK: Final = 64 * 1024
MOST: Final = 200
"""Recordings that are remembered: one to many chats is converted once."""

log = structlog.get_logger("wagate.media")


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
            NotSentError: it could not be fetched, not be stored, or this machine could not convert it now.
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
        except (NoConverterError, StorageError) as error:
            raise NotSentError(f"the recording could not be converted: {error}") from error
        except NotConvertedError as error:
            log.warning("voice not converted", reason=str(error), media_id=media.media_id)
            return replace(message, type="audio", media=media)
        except NotFoundError as error:
            raise SendRefusedError(f"{OF_FILE}{error.detail}") from error
        except FileNotFoundError as error:
            raise SendRefusedError(f"{OF_FILE}it is no longer on this machine's disk") from error

    async def _made(self, held: HeldFile, media: OutMedia, client_id: int) -> OutMedia:
        """Its file with Opus. NotConvertedError."""
        if is_opus(await self._head(held)):
            return replace(media, mimetype=OPUS)
        key = (client_id, held.sha256)
        made = self._done.get(key)
        if made is None or not await self._is_there(made, client_id):
            self._done.pop(key, None)
            made = self._done[key] = await self._converted(held, media, client_id)
            while len(self._done) > MOST:
                self._done.popitem(last=False)
        return made

    async def _is_there(self, made: OutMedia, client_id: int) -> bool:
        """Whether it is still stored: it may be older than ``retention.media``, or its client has deleted it."""
        try:
            await self._media.open_id(made.media_id, client_id=client_id)
        except NotFoundError:
            return False
        return True

    async def _converted(self, held: HeldFile, media: OutMedia, client_id: int) -> OutMedia:
        name = f"{PurePath(media.filename or held.filename).stem}.ogg"
        async with self._limiter, converted(VOICE, held.path, self._media.writing) as made:
            try:
                return await self._media.keep(_chunks(made), client_id=client_id, filename=name, mimetype=OPUS)
            except RequestError as error:
                raise NotConvertedError(error.detail) from error

    async def _head(self, held: HeldFile) -> bytes:
        async with aclosing(held.chunks(0, HEAD)) as chunks:
            return b"".join([chunk async for chunk in chunks])


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    async with await trio.open_file(path, "rb") as file:
        while chunk := await file.read(CHUNK):
            yield chunk
