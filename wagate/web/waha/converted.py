"""Recordings and videos made into what WhatsApp shows, for whoever asks; by wagate itself."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import trio
from quart import Response, request

from wagate.errors import NotSupportedError, StorageError, UnavailableError, UnprocessableError
from wagate.hooks.messages import OutMedia, OutMessage
from wagate.hooks.routes import decode
from wagate.media import convert
from wagate.media.convert import Conversion, converted
from wagate.media.failure import NoConverterError, NotConvertedError
from wagate.web.messages.body import FileContent
from wagate.web.messages.content import Draft, check_storable, read_file
from wagate.web.waha.desk import Call, as_json

WAITING: Final = 30.0
"""Seconds until the turn of a file comes."""
_TURN: Final = trio.CapacityLimiter(1)
"""Beside the recordings that are sent: those must not wait for these."""


class ConvertBody(msgspec.Struct, frozen=True, kw_only=True):
    """``media/convert/voice``, ``…/video``: ``url`` or ``data`` (base64)."""

    url: str | None = None
    data: str | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is made of files."""

    word: str
    """What they are called."""
    type: str
    """`wagate.hooks.messages.OutMessage`'s."""
    conversion: Conversion


VOICE = Kind(word="recording", type="voice", conversion=convert.VOICE)
VIDEO = Kind(word="video", type="video", conversion=convert.VIDEO)


async def convert_voice(call: Call) -> Response:
    """The file as OGG with Opus; raises as `_convert`."""
    return await _convert(call, VOICE)


async def convert_video(call: Call) -> Response:
    """The file as MP4 with H.264 and AAC; raises as `_convert`."""
    return await _convert(call, VIDEO)


async def _convert(call: Call, kind: Kind) -> Response:
    """The file; in JSON, as base64, where ``Accept`` prefers that.

    Raises:
        UnprocessableError: no file, or none that can be converted. NotSupportedError: PyAV is not installed.
        UnavailableError: others are converted, the data folder takes no file, or this machine can't convert now.
        BadGatewayError: the link was not answered.
    """
    body = decode(ConvertBody, await request.get_data(cache=True, as_text=False, parse_form_data=False))
    check_storable(msgspec.to_builtins(body), "")
    if bool(body.url) == bool(body.data):
        raise UnprocessableError("give the file as url or as data", field="url")
    if not convert.can_convert():
        raise NotSupportedError("conversion needs PyAV: pip install 'wagate[voice]'")
    mimetype = kind.conversion.mimetype
    async with _given(call, body, kind) as given:
        made = await _converted(call, given, kind, "url" if body.url else "data")
    bare = mimetype.partition(";")[0]
    if request.accept_mimetypes.best_match([bare, "application/json"]) == "application/json":
        return as_json({"mimetype": mimetype, "data": base64.b64encode(made).decode()})
    return Response(made, content_type=mimetype)


@asynccontextmanager
async def _given(call: Call, body: ConvertBody, kind: Kind) -> AsyncIterator[Path]:
    """A file of the body for as long as the block runs; one behind a link is fetched through the guard and kept."""
    if body.data:
        content = read_file(FileContent(data=body.data), "data")[1]
        with _room_is_there(kind):
            async with call.desk.sending.room() as file:
                await file.write(content)
                yield await file.flushed()
        return
    url = body.url or ""
    if not url.lower().startswith(("http://", "https://")):
        raise UnprocessableError("must be a link with http or https", field="url")
    draft = Draft(message=OutMessage(chat="", type=kind.type, media=OutMedia(url=url)), link_at="url")
    found = await call.desk.sending.file_at_hand(draft, client_id=call.account.client_id)
    assert found.path is not None
    yield found.path


async def _converted(call: Call, given: Path, kind: Kind, field: str) -> bytes:
    with _turn_comes():
        await _TURN.acquire()
    try:
        with _room_is_there(kind):
            async with converted(kind.conversion, given, call.desk.sending.room) as made:
                return await trio.to_thread.run_sync(made.read_bytes)
    except NoConverterError as error:
        raise UnavailableError(f"the {kind.word} could not be converted: {error}") from error
    except (NotConvertedError, FileNotFoundError) as error:
        why = str(error) if isinstance(error, NotConvertedError) else "it no longer exists"
        raise UnprocessableError(f"the {kind.word} could not be converted: {why}", field=field) from error
    finally:
        _TURN.release()


@contextmanager
def _turn_comes() -> Iterator[None]:
    try:
        with trio.fail_after(WAITING):
            yield
    except trio.TooSlowError as error:
        raise UnavailableError("other files are being converted", retry_after=10) from error


@contextmanager
def _room_is_there(kind: Kind) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise UnavailableError(f"the {kind.word} could not be converted: the data folder takes no file") from error
