"""hypercorn's protocols, stricter: no bare LF in HTTP/1; in HTTP/2 every state ends, and late data harms nobody."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import h2.events
import h11
import trio
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h11._receivebuffer import ReceiveBuffer, blank_line_regex
from hypercorn.config import Config
from hypercorn.events import Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.events import Body, EndBody, Response, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import (
    BUFFER_HIGH_WATER,
    BUFFER_LOW_WATER,
    BufferCompleteError,
    H2Protocol,
    StreamBuffer,
)
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError, H11Protocol

from wagate.web.http.heads import checked, common_headers
from wagate.web.http.plain import CLOSE, NotPlainError, Plain

WRITE_TIMEOUT = 60.0
"""Seconds within which the peer must take what was sent: of a connection 64 KiB, of a stream what waits for it."""


class StrictLines(ReceiveBuffer):
    """h11 takes a bare LF for the end of a line. A proxy in front may not, and then the two see different requests."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """The lines of a head or of trailers, once they are all there."""
        blank = blank_line_regex.search(self._data)
        end = blank.end() if blank else 1 if self._data.startswith(b"\n") else 0
        if self._data.count(b"\n", 0, end) != self._data.count(b"\r\n", 0, end):
            raise h11.RemoteProtocolError("a line ends in a bare LF")
        return super().maybe_extract_lines()


class Full(StreamBuffer):
    """What a stream has still to send. hypercorn's lets an application go on while the peer opens no window at all."""

    async def push(self, data: bytes) -> None:
        """Add, and wait until there is room again. BufferCompleteError: the stream has ended."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        while len(self.buffer) >= BUFFER_HIGH_WATER and not self._complete:
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        """Take at most so many bytes."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data


class Http2(H2Protocol):
    """hypercorn's HTTP/2; what it would wait for without end has one."""

    def __init__(self, wrapper: ProtocolWrapper) -> None:
        super().__init__(
            wrapper.app,
            wrapper.config,
            wrapper.context,
            wrapper.task_group,
            wrapper.state,
            wrapper.ssl,
            wrapper.client,
            wrapper.server,
            wrapper.send,
        )
        self._unread: set[int] = set()
        """Streams whose request has not come whole."""

    async def handle(self, event: Event) -> None:
        """As hypercorn's. Without a stream the connection is idle: after its preface, and after a reset, too."""
        await super().handle(event)
        if isinstance(event, RawData) and not self.streams and not self.closed:
            await self.send(Updated(idle=True))

    async def stream_send(self, event: StreamEvent) -> None:
        """As hypercorn's; a peer that takes nothing of a stream loses it."""
        if isinstance(event, StreamClosed) and event.stream_id in self._unread:
            self._reset(event.stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: the rest of the body is not needed.
            await self._flush()
        if not isinstance(event, Body | EndBody):
            await super().stream_send(event)
            return
        if event.stream_id not in self.streams:
            await trio.lowlevel.checkpoint()  # An application that does not listen must not spin.
            return
        with trio.move_on_after(WRITE_TIMEOUT) as patience:
            await super().stream_send(event)
        if patience.cancelled_caught:
            self._reset(event.stream_id, ErrorCodes.CANCEL)
            await self._flush()
            await self._close_stream(event.stream_id)
            await self.send(Updated(idle=not self.streams))

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        await super()._create_stream(request)
        if request.stream_id in self.stream_buffers:  # Its application has not begun yet.
            self.stream_buffers[request.stream_id] = Full(self.context.event_class)

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.RequestReceived) and event.stream_ended is None:
                self._unread.add(event.stream_id)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                self._unread.discard(event.stream_id)
            elif isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                # Its answer has gone out. hypercorn would trip over it, and the connection fall with all its streams.
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                continue
            await super()._handle_events([event])
        await self._flush()

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        self._unread.discard(stream_id)
        with suppress(ProtocolError):  # It is closed already, or the connection is.
            self.connection.reset_stream(stream_id, code)


async def answer(protocol: H11Protocol, send: Callable[[StreamEvent], Awaitable[None]], event: StreamEvent) -> None:
    """Send as hypercorn does; a response that begins before its request has come whole says that it is the last.

    It is, in hypercorn. Untold, the client would send its next request into the close, and lose it.
    """
    if not isinstance(event, Response) or event.status_code < 200:
        await send(event)
        return
    headers = (*event.headers, *common_headers(protocol.config, int(time.time())))
    early = protocol.connection.their_state is h11.SEND_BODY
    if early or protocol.keep_alive_requests >= protocol.config.keep_alive_max_requests:
        headers += (CLOSE,)
    await protocol._send_h11_event(checked(event.status_code, headers))  # noqa: SLF001  (as its stream_send does)


class Protocols(ProtocolWrapper):
    """Chooses the protocol, by ALPN or by the first bytes."""

    protocol: Plain | H11Protocol | H2Protocol  # type: ignore[assignment]
    config: Config

    def choose(self) -> None:
        """Put ours into the place of hypercorn's; before anything is read."""
        if isinstance(self.protocol, H2Protocol):
            self.protocol = Http2(self)
        elif isinstance(self.protocol, H11Protocol):
            self.protocol.connection._receive_buffer = StrictLines()  # type: ignore[union-attr]  # noqa: SLF001
            self.protocol.stream_send = partial(answer, self.protocol, self.protocol.stream_send)  # type: ignore[method-assign]
            self.protocol = Plain(self.protocol)

    async def handle(self, event: Event) -> None:
        """As hypercorn's."""
        try:
            await self.protocol.handle(event)
        except NotPlainError as odd:
            assert isinstance(self.protocol, Plain)
            self.protocol.stand_by.keep_alive_requests = self.protocol.keep_alive_requests
            self.protocol = self.protocol.stand_by
            await self.handle(RawData(odd.data))
        except H2ProtocolAssumedError as assumed:
            await self._change(Http2(self), assumed.data)
        except H2CProtocolRequiredError as required:
            await self._change(Http2(self), required.data, required.headers, required.settings)

    async def _change(
        self,
        protocol: Http2,
        data: bytes,
        headers: list[tuple[bytes, bytes]] | None = None,
        settings: bytes | None = None,
    ) -> None:
        if isinstance(self.protocol, H11Protocol):
            del self.protocol.stream_send  # It refers to its protocol, which would stay with what has been read.
        self.protocol = protocol
        await protocol.initiate(headers, settings)
        await protocol.handle(RawData(data))
