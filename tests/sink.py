"""An https receiver that remembers what it got and answers by script."""

from __future__ import annotations

import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import h11
import msgspec
import trio
import trustme


@dataclass
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int
    """The number of the connection over which it came, counted from 1 in the order of their beginning."""
    peer: int
    """The sender's port."""

    @property
    def json(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Script = Callable[[Got], int | tuple[int, dict[str, str]]]
"""What to answer: a status, or a status with headers."""
Conversation = Callable[[trio.SSLStream[trio.SocketStream]], Awaitable[None]]
"""Answers by hand what was read; then the connection is closed."""


@dataclass
class Sink:
    """Everything that came, and how it is answered."""

    url: str
    ca_file: Path
    script: Script = lambda _: 200
    says: Callable[[Got], bytes] = lambda _: b"ok"
    """The body of the answer."""
    got: list[Got] = field(default_factory=list)
    accepted: list[Got] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    gate: trio.Event | None = None
    """No answer leaves before this has happened."""
    busy: set[int] = field(default_factory=set)
    """Senders' ports of the connections on which a request is worked on."""
    connections: int = 0
    """How many have begun."""
    changed: trio.Event = field(default_factory=trio.Event)

    async def until(self, done: Callable[[Sink], bool], seconds: float = 60) -> None:
        """Wait until enough came. Fails with what came so far."""
        with trio.move_on_after(seconds):
            while not done(self):
                await self.changed.wait()
        assert done(self), f"{len(self.accepted)} accepted, {len(self.got)} received after {seconds} s"

    async def until_accepted(self, count: int, seconds: float = 60) -> None:
        """Wait until so many different ids were answered with 2xx."""
        await self.until(lambda sink: len({got.id for got in sink.accepted}) >= count, seconds)

    async def until_running(self, seconds: float = 60) -> None:
        """Wait until a request is under way: it came, and is not answered yet."""
        with trio.fail_after(seconds):
            while not self.running:
                await trio.sleep(0.002)

    @property
    def duplicates(self) -> int:
        """Requests answered 2xx more than once for one id."""
        return sum(times - 1 for times in Counter(got.id for got in self.accepted).values())

    def note(self, got: Got, status: int) -> None:
        self.got.append(got)
        if 200 <= status < 300:
            self.accepted.append(got)
        self.stir()

    def stir(self) -> None:
        """Have those who wait look again."""
        changed, self.changed = self.changed, trio.Event()
        changed.set()


@cache
def authority() -> trustme.CA:
    """Who signs the certificates of all receivers: whoever trusts one trusts all."""
    return trustme.CA()


@cache
def _tls() -> ssl.SSLContext:
    """Of all receivers: to make a certificate takes longer than to answer with it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("localhost").configure_cert(tls)
    return tls


@asynccontextmanager
async def https_sink(
    script: Script = lambda _: 200,
    *,
    delay: float = 0.0,
    port: int = 0,
    converse: Conversation | None = None,
    behind: Callable[[Got], bytes] = lambda _: b"",
) -> AsyncIterator[Sink]:
    """A receiver with a certificate of `authority` for localhost. With ``converse``, the script only counts.

    ``behind`` gives bytes that leave in one piece with the answer, after it.
    """
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        authority().cert_pem.write_to_path(str(ca_file))
        [listener, *_] = await trio.open_tcp_listeners(port, host="127.0.0.1")
        sink = Sink(f"https://localhost:{listener.socket.getsockname()[1]}/hook", ca_file, script)

        async def serve(stream: trio.SocketStream) -> None:
            wire = trio.SSLStream(stream, _tls(), server_side=True, https_compatible=True)
            try:
                await _converse(wire, sink, delay, converse, behind)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
                pass  # the gateway was killed in mid-request, or hung up
            finally:
                await trio.aclose_forcefully(wire)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            yield sink
            nursery.cancel_scope.cancel()


async def _converse(
    wire: trio.SSLStream[trio.SocketStream],
    sink: Sink,
    delay: float,
    converse: Conversation | None,
    behind: Callable[[Got], bytes],
) -> None:
    connection = h11.Connection(h11.SERVER)
    sink.connections += 1
    number, peer = sink.connections, wire.transport_stream.socket.getpeername()[1]
    while True:
        request, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await wire.receive_some(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return
        assert request is not None
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        got = Got(request.target.decode(), headers, body, trio.current_time(), number, peer)
        sink.running += 1
        sink.busy.add(peer)
        sink.most_running = max(sink.most_running, sink.running)
        sink.stir()
        try:
            if delay:
                await trio.sleep(delay)
            if sink.gate is not None:
                await sink.gate.wait()
            answer = sink.script(got)
            status, extra = answer if isinstance(answer, tuple) else (answer, {})
            text = sink.says(got)
            sink.note(got, status)
        finally:
            sink.running -= 1
            sink.busy.discard(peer)
        if converse is not None:
            await converse(wire)
            return
        head = [(name.encode(), value.encode()) for name, value in extra.items()]
        response = h11.Response(status_code=status, headers=[*head, (b"content-length", b"%d" % len(text))])
        out = connection.send(response) + connection.send(h11.Data(data=text)) + connection.send(h11.EndOfMessage())
        await wire.send_all(out + behind(got))
        if connection.our_state is h11.MUST_CLOSE:
            return
        connection.start_next_cycle()
