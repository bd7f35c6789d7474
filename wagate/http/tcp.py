"""One TCP connection as a trio stream that gives up its turn only when it must wait.

trio's own gives it up after every call, and tries to read before anything can have come: for a small request and its
answer that is two turns of the loop, one system call and one exception more.
"""

from __future__ import annotations

import errno
import socket
from typing import NoReturn

import trio
from trio.socket import SocketType

CHUNK = 65536
CLOSED = "this socket was already closed"


class TcpStream(trio.abc.Stream):
    """A connected socket. It is for one task, so nothing looks for two that send."""

    def __init__(self, raw: socket.socket, owner: SocketType) -> None:
        """``owner`` is trio's socket around ``raw``, which closes it."""
        self._raw = raw
        self._stream = trio.SocketStream(owner)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`; what the system takes at once is sent without a turn."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            sent = self._raw.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            _fail(error)
        if sent < len(data):
            await self._stream.send_all(memoryview(data)[sent:])

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See `trio.abc.ReceiveStream`; waits before it looks, for an answer takes its time."""
        while self._raw.fileno() >= 0:
            await trio.lowlevel.wait_readable(self._raw)
            try:
                return self._raw.recv(CHUNK if max_bytes is None else max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                _fail(error)
        raise trio.ClosedResourceError(CLOSED)

    async def aclose(self) -> None:
        """Close at once."""
        await self._stream.aclose()


def _fail(error: OSError) -> NoReturn:
    """As trio's streams fail."""
    if error.errno in {errno.EBADF, errno.ENOTSOCK}:
        raise trio.ClosedResourceError(CLOSED) from None
    raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
