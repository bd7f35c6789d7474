"""Receivers on raw sockets, a name server and a client, for the tests of the outgoing client."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio
import trustme

from wagate.http.client import HttpClient
from wagate.http.errors import HttpError
from wagate.http.guard import Guard
from wagate.http.resolve import Resolver

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOOPBACK = Guard(allow_networks=(ip_network("127.0.0.0/8"),))
Handler = Callable[[trio.SocketStream | trio.SSLStream], Awaitable[None]]


class Names:
    """A name server: each name has a list of answers, given in turn, the last one for ever."""

    def __init__(self, **names: list[Sequence[str] | OSError]) -> None:
        self.names = names
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answers = self.names.get(host.replace(".", "_"), [socket.gaierror(-2, "Name or service not known")])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


class Server:
    """Where a handler serves, and how many connections came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0

    def url(self, path: str = "/", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(
    handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    [listener] = await trio.open_tcp_listeners(0, host=host)
    server = Server(listener.socket.getsockname()[1])

    async def serve(stream: trio.SocketStream) -> None:
        server.connections += 1
        wire = trio.SSLStream(stream, tls, server_side=True, https_compatible=True) if tls else stream
        try:
            await handler(wire)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client hung up
        finally:
            await trio.aclose_forcefully(wire)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, serve, [listener]))
        yield server
        nursery.cancel_scope.cancel()


async def read_request(stream: trio.abc.ReceiveStream) -> bytes | None:
    """One request with its body; None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = await stream.receive_some(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        chunk = await stream.receive_some(65536)
        if not chunk:
            return None
        body += chunk
    return head + b"\r\n\r\n" + body


def answering(answer: bytes, seen: list[bytes] | None = None, *, then_close: bool = False) -> Handler:
    async def handle(stream: trio.SocketStream | trio.SSLStream) -> None:
        while (request := await read_request(stream)) is not None:
            if seen is not None:
                seen.append(request)
            await stream.send_all(answer)
            if then_close:
                return

    return handle


@asynccontextmanager
async def client(**options: object) -> AsyncIterator[HttpClient]:
    settings = {"guard": LOOPBACK, "allow_http": True, "resolver": Resolver(Names()), **options}
    http = HttpClient(**settings)  # type: ignore[arg-type]
    try:
        yield http
    finally:
        await http.aclose()


class Authority:
    """A certificate authority; ``file`` is what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def server(self, name: str, *, ended: datetime | None = None) -> ssl.SSLContext:
        """A server's context with a certificate for ``name``, which may have ended."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        start = ended - timedelta(days=2) if ended else None
        self._ca.issue_cert(name, not_before=start, not_after=ended).configure_cert(context)
        return context


async def failing(http: HttpClient, url: str, **options: object) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await http.request("POST", url, timeout=60, **options)  # type: ignore[arg-type]
    return caught.value
