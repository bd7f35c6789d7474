"""The file inside a request's body, chunk by chunk: a form with a field ``file``, or the body itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, File, MultipartDecoder, NeedData

from wagate.errors import BadRequestError, TooLargeError, UnprocessableError
from wagate.web.http.asgi import ClientGoneError, Receive

FIELD = "file"
MOST_BUFFERED = 256 * 1024
"""Bytes of a form that wait for their boundary; a part's headers must fit into it."""
MOST_PARTS = 20
FORM = "multipart/form-data"


class Upload:
    """One file on its way in. What it is called is known once its first chunk was taken."""

    def __init__(self, receive: Receive, *, content_type: str, filename: str, most: int) -> None:
        """``filename`` (of the query) wins over the form's. ``most``: bytes of the whole body.

        Raises:
            BadRequestError: a form without a boundary.
        """
        self.filename = filename
        self.mimetype = ""
        self._named = bool(filename)
        self._receive = receive
        self._left = most
        kind, options = parse_options_header(content_type)
        self._boundary = options.get("boundary", "").encode() if kind == FORM else None
        if self._boundary == b"":
            raise BadRequestError("the form's Content-Type has no boundary", field="Content-Type")
        if self._boundary is None:
            self.mimetype = content_type

    def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes.

        Raises:
            BadRequestError: the form is broken. UnprocessableError: it has no file. TooLargeError: the body is over
            the limit. ClientGoneError: it broke off.
        """
        return self._body() if self._boundary is None else self._form(self._boundary)

    async def _body(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk: bytes = message.get("body", b"")
            self._left -= len(chunk)
            if self._left < 0:
                raise TooLargeError("the file is over media.max_size")
            more = bool(message.get("more_body", False))
            if chunk:
                yield chunk

    async def _form(self, boundary: bytes) -> AsyncIterator[bytes]:
        decoder = MultipartDecoder(boundary, MOST_BUFFERED, max_parts=MOST_PARTS)
        ours = found = False
        async for event in self._events(decoder):
            if isinstance(event, File) and event.name == FIELD and not found:
                ours = found = True
                self.mimetype = event.headers.get("content-type", "")
                self.filename = self.filename if self._named else event.filename
            elif isinstance(event, Data) and ours:
                ours = event.more_data
                if event.data:
                    yield event.data
        if not found:
            raise UnprocessableError(f"the form has no file in a field named {FIELD!r}", field=FIELD)

    async def _events(self, decoder: MultipartDecoder) -> AsyncIterator[Any]:
        try:
            async for chunk in self._body():
                for start in range(0, len(chunk), MOST_BUFFERED // 2):
                    decoder.receive_data(chunk[start : start + MOST_BUFFERED // 2])
                    while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                        yield event
            decoder.receive_data(None)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
        except (ValueError, UnicodeDecodeError) as error:
            raise BadRequestError(f"the form can't be read: {error}", field="") from error
        except RequestEntityTooLarge as error:
            raise BadRequestError("the form has too many parts, or too long headers", field="") from error
