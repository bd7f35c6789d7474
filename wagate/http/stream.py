"""The bytes of one connection, as httpcore2 wants them: a request leaves in one write, when its answer is awaited.

What lies here before a request has begun to leave can't be its answer; that is looked at here, at the last moment.
"""

from __future__ import annotations

import math
import re
import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import httpcore2
import trio
from trio.socket import SocketType

from wagate.http.handover import HANDOVER

_FLUSH_AT = 65536
"""Bytes of a request that wait for each other."""
MOST_INFORMATIONAL = 16
"""Informational answers to one request; httpcore2 would read on for ever."""
_LONGEST = 100 * 1024
"""Bytes of one head; h11 refuses what is longer."""
_STATUS_AT = len(b"HTTP/1.1 1")
_ONE = ord("1")
_INFORMATIONAL = re.compile(rb"HTTP/\d\.\d 1")
_BLANK_LINE = re.compile(rb"\n\r?\n")


class NotSentError(httpcore2.WriteError):
    """No answer came, and the request was not wholly handed to the system: its connection was no good, or broke.

    An incomplete request can't have been acted on, so it may go out again on another connection.
    """


class Stream(httpcore2.AsyncNetworkStream):
    """A trio stream that gathers writes and sends them before it reads.

    httpcore2 writes head and body apart; sent together they are one packet, and one system call less.
    """

    def __init__(self, stream: trio.abc.Stream, socket: SocketType) -> None:
        self._stream = stream
        self._socket = socket
        self._poll = select.poll()  # kept: trio's is_readable makes one each time, for thrice the price
        self._poll.register(socket, select.POLLIN)
        self._tls = _tls_layers(stream)
        self._closed = False
        self._waiting = b""
        self._heads = Heads()
        self._replay: bytes | None = None  # read for a request that was sent, and to be read once more
        self._leaving = False  # a request has begun to leave, and nothing was read since
        self._connects = False  # it is a proxy's, which is asked for a way through
        self._answered = False  # an earlier request was answered here
        self._early = False  # an answer began before its request had left
        self._broken: Exception | None = None  # why the rest of a request could not leave
        self._refused: Exception | None = None  # why a request did not begin to leave

    @property
    def unsent(self) -> bool:
        """Something of a request waits here."""
        return bool(self._waiting)

    @property
    def settled(self) -> bool:
        """The last request had wholly left before its answer began, and nothing is here that was not read."""
        return not (self._waiting or self._broken or self._early or self._heads.held or self._readable())

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (httpcore2's)
        """Take bytes of a request.

        A connection that breaks here is reported by `read`, which looks first for an early answer (a 413, say).
        """
        if buffer and self._broken is None and self._replay is None:
            self._waiting += buffer
            if len(self._waiting) >= _FLUSH_AT:
                await self._flush(timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Send what waits, then read; ``b""`` at the end. Informational answers come one by one.

        Raises:
            NotSentError: the request could not be sent, and there is no answer either.
            OddAnswerError: something came before the request left, or too many informational answers.
            httpcore2.ReadError: the connection broke. httpcore2.ReadTimeout: ``timeout`` seconds passed.
        """
        if self._replay is not None:
            data, self._replay = self._replay, None
            return data
        if self._waiting:
            await self._flush(timeout)
        if self._refused is not None:
            raise self._refused
        self._leaving = False
        if not (self._connects or self._broken) and (handover := HANDOVER.get()) is not None:
            handover.left = True
        if self._heads.passing:
            return await self._receive(max_bytes, timeout)
        data = self._heads.take() if self._heads.held else b""
        while not data:
            more = await self._receive(max_bytes, timeout)
            if not more:
                return self._heads.rest()
            data = self._heads.feed(more)
        return data

    def replay(self, data: bytes) -> None:
        """Let somebody else write the request that has left, to no effect, and read ``data`` once more."""
        self._replay = data

    async def _receive(self, max_bytes: int, timeout: float | None) -> bytes:  # noqa: ASYNC109
        try:
            data = await _within(timeout, httpcore2.ReadTimeout, lambda: self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if self._broken is not None:
                raise NotSentError(self._broken) from self._broken
            raise httpcore2.ReadError(error) from error
        if not data and self._broken is not None:
            raise NotSentError(self._broken) from self._broken
        self._answered = True
        return bytes(data)

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109
        begins = not self._leaving
        if begins:
            self._leaving = True
            self._connects = self._waiting.startswith(b"CONNECT ")
            self._heads.restart()
            if self._readable():
                self._refused = await self._judge()
        if self._refused is not None:
            return
        waiting, self._waiting = memoryview(self._waiting), b""
        try:
            for start in range(0, len(waiting), _FLUSH_AT):
                if start or not begins:
                    self._early = self._early or self._readable()
                send = partial(self._stream.send_all, waiting[start : start + _FLUSH_AT])
                await _within(timeout, httpcore2.WriteTimeout, send)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._broken = error

    async def _judge(self) -> Exception | None:
        """Why no request may leave here: what lies here already would be taken for its answer."""
        if self._answered:
            return NotSentError("the idle connection received data")
        # What lies in a new connection's socket under TLS are session tickets, as a rule.
        if not self._tls:
            with suppress(OSError):  # reset, or ended: sending tells
                if await self._socket.recv(1, socket.MSG_PEEK):
                    return OddAnswerError("an answer came before the request")
        return None

    def _readable(self) -> bool:
        """Whether bytes, or the end, lie at our end: in the socket, or in a TLS layer over it."""
        for layer in self._tls:
            if layer.pending() or layer._incoming.pending:  # noqa: SLF001  (decrypted; still encrypted)
                return True
        return self._closed or bool(self._poll.poll(0))  # closed: its number may be another's by now

    async def aclose(self) -> None:
        """Close at once; nothing that waits is sent."""
        self._closed = True
        await trio.aclose_forcefully(self._stream)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Stream:
        """Shake hands and check the certificate against ``server_hostname``.

        Raises:
            httpcore2.ConnectError: no handshake; its cause says why. httpcore2.ConnectTimeout: too slow.
        """
        tls = trio.SSLStream(self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True)
        try:
            await _within(timeout, httpcore2.ConnectTimeout, tls.do_handshake)
        except BaseException as error:
            await trio.aclose_forcefully(self._stream)
            if isinstance(error, trio.BrokenResourceError):
                raise httpcore2.ConnectError(error) from error
            raise
        return Stream(tls, self._socket)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore2 asks for: an idle connection that ``is_readable`` is over, whatever came."""
        match info:
            case "is_readable":
                return self._readable()
            case "ssl_object" if isinstance(self._stream, trio.SSLStream):
                return self._stream._ssl_object  # noqa: SLF001  (as httpcore2's own stream does)
            case "socket":
                return self._socket
            case "client_addr":
                return self._socket.getsockname()
            case "server_addr":
                return self._socket.getpeername()
            case _:
                return None


def _tls_layers(stream: trio.abc.Stream) -> tuple[trio.SSLStream[Any], ...]:
    """None, one, or two: through a proxy that is itself reached by TLS."""
    layers = []
    while isinstance(stream, trio.SSLStream):
        layers.append(stream)
        stream = stream.transport_stream
    return tuple(layers)


async def _within(timeout: float | None, late: type[Exception], act: Callable[[], Any]) -> Any:  # noqa: ASYNC109
    """Do it within ``timeout`` seconds; without one, the caller's own deadline holds and no scope is spent."""
    if timeout is None:
        return await act()
    with trio.move_on_after(timeout if timeout >= 0 else math.inf):
        return await act()
    raise late(f"nothing within {timeout:g} s")


class OddAnswerError(httpcore2.RemoteProtocolError):
    """What came back was not HTTP as we take it; its message is ours, and may be shown."""


class Heads:
    """The bytes of one answer until its own head begins; all that follows need not come here."""

    def __init__(self) -> None:
        self.held = bytearray()
        """Received, not handed on."""
        self.passing = False
        """The answer's own head has begun."""
        self._count = 0

    def restart(self) -> None:
        """The next request leaves."""
        self.passing = False
        self._count = 0

    def feed(self, more: bytes) -> bytes:
        """Take in what came, and `take`. Nearly always that is the answer itself, which needs no second look."""
        if not self.held and len(more) >= _STATUS_AT and more[_STATUS_AT - 1] != _ONE:
            self.passing = True
            return more
        self.held += more
        return self.take()

    def take(self) -> bytes:
        """One informational answer, or all from the answer's own head on; ``b""``: more must come first.

        Raises:
            OddAnswerError: one informational answer too many.
        """
        held = self.held
        if len(held) < _STATUS_AT and b"HTTP/".startswith(held[:5]):
            return b""
        if not _INFORMATIONAL.match(held) or len(held) > _LONGEST:
            return self.rest()
        end = _BLANK_LINE.search(held)
        if end is None:
            return b""
        self._count += 1
        if self._count > MOST_INFORMATIONAL:
            raise OddAnswerError(f"more than {MOST_INFORMATIONAL} informational answers")
        one = bytes(held[: end.end()])
        del held[: end.end()]
        return one

    def rest(self) -> bytes:
        """All that is held; h11 judges it."""
        self.passing = True
        rest = bytes(self.held)
        self.held.clear()
        return rest
