"""A site to serve, the servers to serve it, and clients that see every byte."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import h2.config
import h2.connection
import h2.events
import hypercorn
import trio
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app

from wagate.web.http.server import serve_http

BIG = 8 * 1024 * 1024
PATIENCE = 100.0
"""Seconds that a connection may be idle, unless a test says otherwise: longer than one may last."""


class Site:
    """An ASGI application with one path for each thing that a server can get wrong."""

    def __init__(self) -> None:
        self.go_on = trio.Event()
        self.running = trio.Event()
        self.disconnected = trio.Event()
        self.stopped = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = scope["type"] if scope["type"] != "http" else scope["path"].strip("/") or "hello"
        await getattr(self, name)(scope, receive, send)

    async def lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            message = await receive()
            self.stopped = message["type"] == "lifespan.shutdown"
            await send({"type": f"{message['type']}.complete"})

    async def websocket(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        self.disconnected.set()

    async def hello(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["query_string"] or b"hello")

    async def echo(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        await answer(send, body)

    async def events(self, scope: Any, receive: Any, send: Any) -> None:
        """Server-sent events: headers, a wait, one event, a wait, the end."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await self.go_on.wait()
        self.go_on = trio.Event()
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    async def slow(self, scope: Any, receive: Any, send: Any) -> None:
        self.running.set()
        await self.go_on.wait()
        await answer(send, b"late")

    async def big(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % BIG)]})
        self.running.set()
        for start in range(0, BIG, 100_000):
            piece = b"x" * min(100_000, BIG - start)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    async def gone(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"to nobody"})
        self.disconnected.set()

    async def endless(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until the client is gone, then stop in mid-response, as a framework does that cancels its handler."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with trio.open_nursery() as nursery:

            async def write() -> None:
                while True:
                    await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})

            nursery.start_soon(write)
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()
        self.disconnected.set()

    async def deaf(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until the client is gone, and a little beyond."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with trio.open_nursery() as nursery:

            async def write(pieces: int) -> None:
                for _ in range(pieces):
                    await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})

            nursery.start_soon(write, 10_000)
            while (await receive())["type"] != "http.disconnect":
                pass
            await write(20)
            nursery.cancel_scope.cancel()
        self.disconnected.set()

    async def refuse(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer without reading the body, when the server has had time to queue much of it."""
        self.running.set()
        await self.go_on.wait()
        await answer(send, b"too much", status=413)
        self.disconnected.set()

    async def crash(self, scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("on purpose")

    async def crash_late(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("on purpose")


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class ClosedError(AssertionError):
    """The connection ended before all had come."""


class Client:
    """One HTTP/1.1 connection, byte by byte."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def ask(self, path: str = "/", method: str = "GET", headers: str = "", body: bytes = b"") -> None:
        await self.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode() + body)

    async def until(self, mark: bytes) -> bytes:
        """What comes, up to and with the mark."""
        while mark not in self.buffer:
            data = await self.stream.receive_some()
            if not data:
                raise ClosedError(f"closed after {self.buffer!r}")
            self.buffer += data
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    async def take(self, length: int) -> bytes:
        while len(self.buffer) < length:
            data = await self.stream.receive_some(length - len(self.buffer))
            if not data:
                raise ClosedError(f"closed after {len(self.buffer)} bytes")
            self.buffer += data
        found, self.buffer = self.buffer[:length], self.buffer[length:]
        return found

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of an answer with a Content-Length."""
        head = await self.until(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length, head
        return int(head[9:12]), await self.take(int(length[1]))

    async def closed(self) -> bool:
        """Wait for the end of the connection; whether nothing came before it."""
        try:
            return await self.stream.receive_some() == b"" and self.buffer == b""
        except trio.BrokenResourceError:
            return True


class Server:
    """A running server, told apart by ``kind``: ``hypercorn`` as it comes, or ``wagate``."""

    def __init__(self, kind: str, site: Site, nursery: trio.Nursery, **settings: Any) -> None:
        self.kind, self.site, self.nursery = kind, site, nursery
        self.own = {name: settings.pop(name) for name in ("unix_path", "most") if name in settings}
        settings = {"bind": ["127.0.0.1:0"], "errorlog": None, "keep_alive_timeout": PATIENCE, **settings}
        self.config = hypercorn.Config.from_mapping(settings)
        self.stop = trio.Event()
        self.done = trio.Event()
        self.addresses: list[Any] = []

    async def run(self, task_status: trio.TaskStatus[list[Any]]) -> None:
        common: Any = {"shutdown_trigger": self.stop.wait, "task_status": task_status}
        if self.kind == "wagate":
            await serve_http(self.site, self.config, **self.own, **common)
        else:
            await worker_serve(wrap_app(self.site, 0, "asgi"), self.config, **common)
        self.done.set()

    async def start(self) -> None:
        bound = await self.nursery.start(self.run)
        stock = (re.fullmatch(r"https?://(.*):(\d+)", one) for one in bound if isinstance(one, str))
        self.addresses = bound if self.kind == "wagate" else [(m[1], int(m[2])) for m in stock if m]

    async def connect(self) -> Client:
        return Client(await trio.open_tcp_stream(*self.addresses[0]))

    async def client_that(self, work: Callable[[Server, Client], Awaitable[None]]) -> Client:
        """A connection on which this was done; another as often as a slow machine took it for idle before."""
        while True:
            client = await self.connect()
            with suppress(trio.BrokenResourceError, ClosedError):
                await work(self, client)
                return client


async def answered(_server: Server, client: Client) -> None:
    """A request was answered."""
    await client.ask()
    await client.answer()


async def runs(server: Server, client: Client) -> None:
    """A request runs."""
    await client.ask("/slow")
    async with trio.open_nursery() as nursery:

        async def ended() -> None:
            await client.closed()
            nursery.cancel_scope.cancel()

        nursery.start_soon(ended)
        await server.site.running.wait()
        nursery.cancel_scope.cancel()
    if not server.site.running.is_set():
        raise ClosedError("closed before it ran")


@asynccontextmanager
async def serving(kind: str, **settings: Any) -> AsyncIterator[Server]:
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            server = Server(kind, Site(), nursery, **settings)
            await server.start()
            yield server
            server.site.go_on.set()
            nursery.cancel_scope.cancel()


class H2Client:
    """One HTTP/2 connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.protocol = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.protocol.initiate_connection()
        self.bodies: defaultdict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()

    async def ask(self, path: bytes, body: bytes = b"") -> int:
        stream_id = self.protocol.get_next_available_stream_id()
        headers = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path)]
        self.protocol.send_headers(stream_id, headers)
        self.protocol.send_data(stream_id, body, end_stream=True)
        await self.stream.send_all(self.protocol.data_to_send())
        return stream_id

    async def answers(self, *stream_ids: int) -> dict[int, bytes]:
        """The whole bodies of these streams."""
        while not self.ended.issuperset(stream_ids):
            data = await self.stream.receive_some()
            assert data, "closed too early"
            for event in self.protocol.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += event.data
                    self.protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(event.stream_id)
            with suppress(trio.BrokenResourceError):  # A server that stops may be gone when it has answered.
                await self.stream.send_all(self.protocol.data_to_send())
        return {stream_id: self.bodies[stream_id] for stream_id in stream_ids}


async def ignore_broken(work: Any) -> None:
    with suppress(trio.BrokenResourceError):
        await work()
