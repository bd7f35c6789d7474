"""The bytes of one connection, as httpcore2 wants them: a request leaves in one write, when its answer is awaited."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import httpcore2
import trio
from trio.socket import SocketType

_FLUSH_AT = 65536
"""Bytes of a request that wait for each other."""


class Handover:
    """Whether a request began to leave; the client looks at it when no answer came."""

    begun = False


HANDOVER: ContextVar[Handover | None] = ContextVar("handover", default=None)
"""Of the running request. httpcore2 stands between the client and its streams, and has no other way through."""


class NotSentError(httpcore2.WriteError):
    """The connection broke before the request was wholly handed to the system, and no answer came.

    An incomplete request can't have been acted on, so it may go out again on another connection.
    """


class Stream(httpcore2.AsyncNetworkStream):
    """A trio stream that gathers writes and sends them before it reads.

    httpcore2 writes head and body apart; sent together they are one packet, and one system call less.
    """

    def __init__(self, stream: trio.abc.Stream, socket: SocketType) -> None:
        self._stream = stream
        self._socket = socket
        self._waiting = b""
        self._broken: Exception | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (httpcore2's)
        """Take bytes of a request.

        A connection that breaks here is reported by `read`, which looks first for an early answer (a 413, say).
        """
        if buffer and self._broken is None:
            self._waiting += buffer
            if len(self._waiting) >= _FLUSH_AT:
                await self._flush(timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Send what waits, then read; ``b""`` at the end.

        Raises:
            NotSentError: the request could not be sent, and there is no answer either.
            httpcore2.ReadError: the connection broke. httpcore2.ReadTimeout: ``timeout`` seconds passed.
        """
        if self._waiting:
            await self._flush(timeout)
        try:
            data = await _within(timeout, httpcore2.ReadTimeout, lambda: self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if self._broken is not None:
                raise NotSentError(self._broken) from self._broken
            raise httpcore2.ReadError(error) from error
        if not data and self._broken is not None:
            raise NotSentError(self._broken) from self._broken
        return bytes(data)

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109
        waiting, self._waiting = self._waiting, b""
        if (handover := HANDOVER.get()) is not None:
            handover.begun = True
        try:
            await _within(timeout, httpcore2.WriteTimeout, lambda: self._stream.send_all(waiting))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._broken = error

    async def aclose(self) -> None:
        """Close at once; nothing that waits is sent."""
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
        """What httpcore2 asks for: ``is_readable`` of an idle connection means that the server has closed it."""
        match info:
            case "is_readable":
                return self._socket.is_readable()
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


async def _within(timeout: float | None, late: type[Exception], act: Callable[[], Any]) -> Any:  # noqa: ASYNC109
    """Do it within ``timeout`` seconds; without one, the caller's own deadline holds and no scope is spent."""
    if timeout is None:
        return await act()
    with trio.move_on_after(timeout if timeout >= 0 else math.inf):
        return await act()
    raise late(f"nothing within {timeout:g} s")
