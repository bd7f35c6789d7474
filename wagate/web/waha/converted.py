"""A recording made into what WhatsApp shows as a voice message, for whoever asks; by wagate itself."""

from __future__ import annotations

import base64
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
from wagate.media.voice import OPUS
from wagate.web.messages.body import FileContent
from wagate.web.messages.content import Draft, check_storable, read_file
from wagate.web.waha.desk import Call, as_json

WAITING: Final = 30.0
"""Seconds until the turn of a file comes."""
_TURN: Final = trio.CapacityLimiter(1)
"""Beside the recordings that are sent: those must not wait for these."""


class ConvertBody(msgspec.Struct, frozen=True, kw_only=True):
    """``media/convert/voice``: ``url`` or ``data`` (base64)."""

    url: str | None = None
    data: str | None = None


async def convert_voice(call: Call) -> Response:
    """The file as OGG with Opus; in JSON, as base64, where ``Accept`` prefers that.

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
    made = await _converted(await _given(call, body), "url" if body.url else "data")
    if request.accept_mimetypes.best_match(["audio/ogg", "application/json"]) == "application/json":
        return as_json({"mimetype": OPUS, "data": base64.b64encode(made).decode()})
    return Response(made, content_type=OPUS)


async def _given(call: Call, body: ConvertBody) -> Path | IO[bytes]:
    """Bytes of the body stay in memory; what is behind a link is fetched through the guard, as what is sent."""
    if body.data:
        return BytesIO(read_file(FileContent(data=body.data), "data")[1])
    url = body.url or ""
    if not url.lower().startswith(("http://", "https://")):
        raise UnprocessableError("must be a link with http or https", field="url")
    draft = Draft(message=OutMessage(chat="", type="voice", media=OutMedia(url=url)), link_at="url")
    found = await call.desk.sending.file_at_hand(draft, client_id=call.account.client_id)
    assert found.path is not None
    return found.path


async def _converted(given: Path | IO[bytes], field: str) -> bytes:
    made: bytes | None = None
    try:
        with trio.move_on_after(WAITING):
            made = await trio.to_thread.run_sync(partial(voice.as_opus, given), limiter=_TURN)
    except (NotConvertedError, FileNotFoundError) as error:
        why = str(error) if isinstance(error, NotConvertedError) else "it no longer exists"
        raise UnprocessableError(f"the recording could not be converted: {why}", field=field) from error
    if made is None:
        raise UnavailableError("other recordings are being converted", retry_after=10)
    return made
