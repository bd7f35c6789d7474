"""Recordings and videos made into what WhatsApp shows, for whoever asks; by wagate itself."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import msgspec
import trio
from quart import Response, request

from wagate.errors import NotSupportedError, UnavailableError, UnprocessableError
from wagate.hooks.messages import OutMedia, OutMessage
from wagate.hooks.routes import decode
from wagate.media import voice
from wagate.media.failure import NotConvertedError
from wagate.media.film import MP4, as_mp4
from wagate.media.voice import OPUS
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
    mimetype: str
    """Of what is made."""
    make: Callable[[Path | IO[bytes]], bytes]


VOICE = Kind(word="recording", type="voice", mimetype=OPUS, make=voice.as_opus)
VIDEO = Kind(word="video", type="video", mimetype=MP4, make=as_mp4)


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
        UnavailableError: others are converted. BadGatewayError: the link was not answered.
    """
    body = decode(ConvertBody, await request.get_data(cache=True, as_text=False, parse_form_data=False))
    check_storable(msgspec.to_builtins(body), "")
    if bool(body.url) == bool(body.data):
        raise UnprocessableError("give the file as url or as data", field="url")
    if not voice.can_convert():
        raise NotSupportedError("conversion needs PyAV: pip install 'wagate[voice]'")
    made = await _converted(await _given(call, body, kind), kind, "url" if body.url else "data")
    bare = kind.mimetype.partition(";")[0]
    if request.accept_mimetypes.best_match([bare, "application/json"]) == "application/json":
        return as_json({"mimetype": kind.mimetype, "data": base64.b64encode(made).decode()})
    return Response(made, content_type=kind.mimetype)


async def _given(call: Call, body: ConvertBody, kind: Kind) -> Path | IO[bytes]:
    """Bytes of the body stay in memory; what is behind a link is fetched through the guard, as what is sent."""
    if body.data:
        return BytesIO(read_file(FileContent(data=body.data), "data")[1])
    url = body.url or ""
    if not url.lower().startswith(("http://", "https://")):
        raise UnprocessableError("must be a link with http or https", field="url")
    draft = Draft(message=OutMessage(chat="", type=kind.type, media=OutMedia(url=url)), link_at="url")
    found = await call.desk.sending.file_at_hand(draft, client_id=call.account.client_id)
    assert found.path is not None
    return found.path


async def _converted(given: Path | IO[bytes], kind: Kind, field: str) -> bytes:
    made: bytes | None = None
    try:
        with trio.move_on_after(WAITING):
            made = await trio.to_thread.run_sync(partial(kind.make, given), limiter=_TURN)
    except (NotConvertedError, FileNotFoundError) as error:
        why = str(error) if isinstance(error, NotConvertedError) else "it no longer exists"
        raise UnprocessableError(f"the {kind.word} could not be converted: {why}", field=field) from error
    if made is None:
        raise UnavailableError("other files are being converted", retry_after=10)
    return made
