"""No command gets a reply that is not its own, whatever the server sends, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import hiredis
import pytest
import trio

from wagate.errors import QueueError
from wagate.queue.redis import RedisThread


class Server:
    """Echoes ``ECHO``; to ``ECHO first`` it replies as ``first`` says, the rest of it when ``go_on`` is set."""

    def __init__(self, first: bytes, late: bytes = b"") -> None:
        self.first = first
        self.late = late
        self.go_on = trio.Event()
        self.sent_late = trio.Event()
        self.connections = 0

    async def __call__(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        reader = hiredis.Reader()
        while data := await stream.receive_some():
            reader.feed(data)
            while (words := reader.gets()) is not False:
                await self._reply(stream, words)

    async def _reply(self, stream: trio.SocketStream, words: list[bytes]) -> None:
        if words[0] != b"ECHO":
            await stream.send_all(b"+OK\r\n")
        elif words[1] != b"first":
            await stream.send_all(b"+%b\r\n" % words[1])
        else:
            await stream.send_all(self.first)
            await self.go_on.wait()
            with suppress(trio.BrokenResourceError):  # the client hung up, as it should
                await stream.send_all(self.late)
            self.sent_late.set()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[RedisThread]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server, [listener])
        redis = RedisThread(f"redis://127.0.0.1:{listener.socket.getsockname()[1]}/0", timeout=1.0)
        try:
            yield redis
        finally:
            await redis.close()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("late", [False, True])
async def test_a_second_reply_is_not_the_next_commands(late: bool) -> None:
    server = Server(b"+first\r\n") if late else Server(b"+first\r\n+foreign\r\n")
    server.late = b"+foreign\r\n" if late else b""
    async with serving(server) as redis:
        assert await redis.command("ECHO", "first") == "first"
        server.go_on.set()
        await server.sent_late.wait()
        assert await redis.command("ECHO", "second") == "second"
        assert await redis.command("ECHO", "third") == "third"
        assert server.connections == 2


async def test_a_reply_that_came_too_late_is_not_the_next_commands() -> None:
    server = Server(b"", late=b"+first\r\n")
    async with serving(server) as redis:
        with pytest.raises(QueueError):
            await redis.command("ECHO", "first")
        server.go_on.set()
        await server.sent_late.wait()
        assert await redis.command("ECHO", "second") == "second"
        assert server.connections == 2
