"""A real HTTP server for fakes of providers and targets: answers by a function, fails by a script, remembers all."""

from __future__ import annotations

import hashlib
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import h11
import msgspec
import trio

from wagate.testing.multipart import Part, Parts

KEPT = 2_000_000
"""Bytes of a body that are kept; of a longer one `Seen.size` and `Seen.sha256` tell."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    """The first `KEPT` bytes."""
    size: int
    """Bytes of the whole body."""
    sha256: str
    """Of the whole body."""
    at: float
    """trio's time."""
    parts: tuple[Part, ...] = ()
    """Of a multipart body; each keeps its first `KEPT` bytes."""

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; the last one of a name counts."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer."""

    status: int = 200
    json: Any = None
    """The body, unless ``body`` or ``chunks`` is given."""
    body: bytes = b""
    chunks: Iterable[bytes] | None = None
    """A long body, made piece by piece."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one request, in place of the right answer."""

    reply: Reply | None = None
    """Answer so; None: with what the function answers."""
    accept: bool = False
    """Run the function first (the provider does what was asked), whatever is answered then."""
    wait: float = 0.0
    """Seconds before the answer; more than the caller's patience is a timeout."""
    drop: bool = False
    """Close the connection in place of an answer."""
    reset: bool = False
    """Reset the connection (RST) in place of an answer."""
    drip: float = 0.0
    """Seconds between two bytes of the answer's body."""
    path: str = ""
    """Only requests whose path contains this; others pass it by."""
    method: str = ""
    """Only requests with this method."""


Answer = Callable[[Seen], Awaitable[Reply]]


class FakeServer:
    """``url`` is where it listens. Give faults with `fail`; each is used once, in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.url = ""
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.chance: Callable[[Seen], Fault | None] = lambda _seen: None
        """Asked when no scripted fault fits: faults by share or by content."""
        self.judge: Callable[[Seen], Reply | None] = lambda _seen: None
        """How the real one refuses a request that its document does not allow; None: it takes it."""
        self._changed = trio.Event()

    def fail(self, *faults: Fault) -> None:
        """Let the next requests fail so."""
        self.faults.extend(faults)

    async def until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is true that changes when a request comes, or was worked on. TooSlowError."""
        with trio.fail_after(seconds):
            while not done():
                await self._changed.wait()

    def _note(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _fault(self, seen: Seen) -> Fault | None:
        for fault in self.faults:
            if fault.path in seen.path and fault.method in {"", seen.method}:
                self.faults.remove(fault)
                return fault
        return self.chance(seen)

    async def beside(self) -> None:
        """What runs while the server does, as sending webhooks; nothing by default."""

    async def _respond(self, seen: Seen) -> tuple[Reply | None, Fault]:
        """The answer (None: hang up) and what goes wrong."""
        self.seen.append(seen)
        fault = self._fault(seen)
        self._note()
        try:
            if fault is None:
                return await self._judged(seen), Fault()
            lost = fault.drop or fault.reset
            reply = await self._judged(seen) if fault.accept or not (fault.reply or lost) else None
            await trio.sleep(fault.wait)
            return (None if lost else fault.reply or reply), fault
        finally:
            self._note()

    async def _judged(self, seen: Seen) -> Reply:
        return self.judge(seen) or await self._answer(seen)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection."""
        connection = h11.Connection(h11.SERVER)
        try:
            while (seen := await _read(connection, stream)) is not None:
                reply, fault = await self._respond(seen)
                if reply is None:
                    _lose(stream, reset=fault.reset)
                    break
                await _write(connection, stream, reply, fault.drip, bare=seen.method == "HEAD")
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    break
                connection.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass  # the caller hung up
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def answering(answer: Answer | None = None) -> AsyncIterator[FakeServer]:
    """A server that runs while the context is open; without ``answer`` it says 200 to everything."""

    async def yes(_seen: Seen) -> Reply:
        return Reply()

    server = FakeServer(answer or yes)
    async with running(server):
        yield server


@asynccontextmanager
async def running(server: FakeServer) -> AsyncIterator[None]:
    """Let it listen on a free port of localhost while the context is open."""
    [listener, *_] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.beside)
        nursery.start_soon(trio.serve_listeners, server.serve, [listener])
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()


async def _read(connection: h11.Connection, stream: trio.abc.Stream) -> Seen | None:
    request, body, size, digest, parts = None, bytearray(), 0, hashlib.sha256(), Parts("", kept=0)
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(65536)))
        elif isinstance(event, h11.Request):
            request = event
            parts = Parts(dict(event.headers).get(b"content-type", b"").decode("latin-1"), kept=KEPT)
        elif isinstance(event, h11.Data):
            size += len(event.data)
            digest.update(event.data)
            body += event.data[: max(0, KEPT - len(body))]
            parts.feed(event.data)
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            parts.feed(None)
            break
        else:
            return None
    target = urlsplit(request.target.decode())
    return Seen(
        method=request.method.decode(),
        path=target.path,
        query=dict(parse_qsl(target.query, keep_blank_values=True)),
        headers={name.decode().lower(): value.decode("latin-1") for name, value in request.headers},
        body=bytes(body),
        size=size,
        sha256=digest.hexdigest(),
        at=trio.current_time(),
        parts=tuple(parts.found),
    )


def _lose(stream: trio.abc.Stream, *, reset: bool) -> None:
    """Have the close that follows reset the connection."""
    if reset and isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _write(connection: h11.Connection, stream: trio.abc.Stream, reply: Reply, drip: float, *, bare: bool) -> None:
    """``bare``: the head alone, as HEAD asks for."""
    body = msgspec.json.encode(reply.json) if reply.json is not None else reply.body
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if reply.json is not None:
        headers.setdefault("content-type", "application/json")
    if reply.chunks is None:
        headers["content-length"] = str(len(body))
    else:
        headers.setdefault("transfer-encoding", "chunked")
    head = h11.Response(status_code=reply.status, headers=[(n.encode(), v.encode()) for n, v in headers.items()])
    await stream.send_all(connection.send(head) or b"")
    pieces: Iterable[bytes] = [] if bare else reply.chunks if reply.chunks is not None else [body]
    if drip:
        pieces = (bytes([byte]) for piece in pieces for byte in piece)
    for piece in pieces:
        if piece:
            await stream.send_all(connection.send(h11.Data(data=piece)) or b"")
            await trio.sleep(drip)
    await stream.send_all(connection.send(h11.EndOfMessage()) or b"")
