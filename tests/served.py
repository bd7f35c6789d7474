"""One connection being served, without a network."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import hypercorn
import trio
import trio.testing
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.typing import ConnectionState

from wagate.web.http.connection import Connection, ServerContext

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
KEEP_ALIVE = 60.0
App = Callable[[Any, Any, Any], Awaitable[None]]


class NoSocket:
    """As much of a socket as hypercorn asks about."""

    family = socket.AF_UNIX

    def getpeername(self) -> str:
        return ""

    getsockname = getpeername


class RecordingStream(trio.abc.HalfCloseableStream):
    """A stream in memory that remembers each write, and takes none while ``stalled``."""

    def __init__(self, inner: trio.StapledStream[Any, Any]) -> None:
        self.inner = inner
        self.socket = NoSocket()
        self.writes: list[bytes] = []
        self.stalled = False
        self.closed = False
        self.came: Callable[[], None] = lambda: None
        """Called in the turn in which something came."""

    async def send_all(self, data: Any) -> None:
        if self.closed:  # At once, as a socket's stream does, and unlike one in memory.
            raise trio.ClosedResourceError
        if self.stalled:
            await trio.sleep_forever()
        self.writes.append(bytes(data))
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self.inner.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data: bytes | bytearray = await self.inner.receive_some(max_bytes)
        self.came()
        return data

    async def aclose(self) -> None:
        self.closed = True
        await self.inner.aclose()


class Served:
    """A connection being served, and its client's end."""

    def __init__(self, app: App) -> None:
        self.client, inner = trio.testing.memory_stream_pair()
        self.stream = RecordingStream(inner)
        self.context = ServerContext()
        config = hypercorn.Config()
        config.keep_alive_timeout = KEEP_ALIVE
        config.errorlog = None
        stream: Any = self.stream
        self.connection = Connection(ASGIWrapper(app), config, self.context, ConnectionState({}), stream)
        self.ended_at: float | None = None

    async def run(self) -> None:
        await self.connection.run()
        self.ended_at = trio.current_time()

    async def until_closed(self) -> float:
        """Read to the end; the seconds that took."""
        start = trio.current_time()
        while await self.client.receive_some():
            pass
        return trio.current_time() - start


@asynccontextmanager
async def served(app: App) -> AsyncIterator[Served]:
    one = Served(app)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.context.flush_unfinished)
        nursery.start_soon(one.run)
        yield one
        nursery.cancel_scope.cancel()


async def start(send: Any, length: int) -> None:
    headers = [(b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await start(send, 2)
    await send({"type": "http.response.body", "body": b"h", "more_body": True})
    await send({"type": "http.response.body", "body": b"i"})
