"""Runs the fake: a websocket with TLS, a shelf for files, and a proxy that leads every name to them."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import trio
import trustme
from trio_websocket import serve_websocket

from wagate.testing.whatsapp.queries import AUTH, HOST
from wagate.testing.whatsapp.server import FakeWhatsApp
from wagate.testing.whatsapp.world import World

ROOT = "WAGATE_FAKE_WHATSAPP_ROOT"
"""Environment variable: the fake's root key in hex, which ``redirect`` puts into the engine's memory."""
REDIRECT = Path(__file__).parent / "redirect"
LARGEST = 1 << 24
PART = 65_536


@dataclass(frozen=True)
class Running:
    """A fake that runs."""

    server: FakeWhatsApp
    proxy: str
    """For the account's ``proxy``."""
    environment: dict[str, str]
    """Of the gateway, so that its engine's process comes here."""

    def world(self, ours: str) -> World:
        """The people around a number of ours."""
        made = World(self.server, ours)
        made.blobs = self.blobs
        return made

    blobs: dict[str, bytes]
    """What lies on the shelf, by path; what we upload, too."""


@asynccontextmanager
async def running_whatsapp(folder: Path, authority: trustme.CA | None = None) -> AsyncIterator[Running]:
    """A server for as long as the block runs. ``authority`` signs for it; its certificate goes into ``folder``."""
    server, blobs = FakeWhatsApp(), dict[str, bytes]()
    authority = authority or trustme.CA()
    ca_file = folder / "whatsapp-ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("web.whatsapp.com", "mmg.whatsapp.net", "localhost", "127.0.0.1").configure_cert(tls)
    async with trio.open_nursery() as nursery:
        serve = partial(serve_websocket, server.websocket, "127.0.0.1", 0, tls, max_message_size=LARGEST)
        door = (await nursery.start(partial(_started, serve))).port
        shelf = _port(await nursery.start(trio.serve_ssl_over_tcp, partial(_shelf, server, blobs), 0, tls))
        server.shelf = f"127.0.0.1:{shelf}"
        proxy = _port(await nursery.start(trio.serve_tcp, partial(_proxy, server, door, shelf), 0))
        environment = {
            "SSL_CERT_FILE": str(ca_file),
            ROOT: server.root.public.hex(),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(REDIRECT), os.environ.get("PYTHONPATH", "")))),
        }
        yield Running(server, f"http://127.0.0.1:{proxy}", environment, blobs)
        nursery.cancel_scope.cancel()


async def _started(serve: Callable[..., Awaitable[object]], *, task_status: trio.TaskStatus[object]) -> None:
    async with trio.open_nursery() as handlers:
        made = await handlers.start(partial(serve, handler_nursery=handlers))
        task_status.started(made)


def _port(listeners: list[trio.SocketListener] | list[trio.SSLListener[trio.SocketStream]]) -> int:
    listener = listeners[0]
    below = listener if isinstance(listener, trio.SocketListener) else listener.transport_listener
    assert isinstance(below, trio.SocketListener)
    return int(below.socket.getsockname()[1])


async def _head(stream: trio.abc.Stream) -> tuple[bytes, bytes]:
    """The head of a request, and what came behind it."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = await stream.receive_some(65536)
        if not data:
            return b"", b""
        got += data
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


async def _shelf(server: FakeWhatsApp, blobs: dict[str, bytes], stream: trio.abc.Stream) -> None:
    """One upload or download."""
    head, rest = await _head(stream)
    if not head:
        return
    verb, target = head.split()[:2]
    path = target.decode().partition("?")[0]
    lines = [each.lower() for each in head.split(b"\r\n")]
    size = next((int(each.partition(b":")[2]) for each in lines if each.startswith(b"content-length:")), 0)
    if verb == b"POST" and server.shelf_breaks:
        server.shelf_breaks -= 1
        await trio.aclose_forcefully(stream)
        return
    taken = bytearray(rest)
    while len(taken) < size:
        taken += await stream.receive_some(PART)
    if verb == b"POST" and server.shelf_silent:
        server.shelf_silent -= 1
        with suppress(trio.BrokenResourceError):
            await stream.receive_some(1)
        server.shelf_left += 1
        server.wake()
        return
    body, status = blobs.get(path), b"200 OK"
    if verb == b"POST" and (server.shelf_refusals or not _belongs(target.decode(), taken)):
        server.shelf_refusals = max(0, server.shelf_refusals - 1)
        body, status = b"no such place", b"401 Unauthorized"
    elif verb == b"POST":
        path = f"/v/{os.urandom(8).hex()}"
        blobs[path] = bytes(taken)
        agents = [each.partition(b":")[2].strip().decode() for each in lines if each.startswith(b"user-agent:")]
        server.uploads.append("".join(agents))
        body = msgspec.json.encode({"url": f"https://{server.shelf}{path}", "direct_path": path, "handle": "h"})
    elif body is None:
        body, status = b"gone", b"404 Not Found"
    answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body))
    await stream.send_all(answer)
    for at in range(0, len(body), PART):
        await stream.send_all(body[at : at + PART])
    await stream.aclose()


def _belongs(target: str, content: bytearray) -> bool:
    """Whether an upload has the key, and is at the place that its hash gives it."""
    token = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
    query = parse_qs(urlsplit(target).query)
    return unquote(urlsplit(target).path).endswith(f"/{token}") and query == {"auth": [AUTH], "token": [token]}


async def _proxy(server: FakeWhatsApp, door: int, shelf: int, stream: trio.SocketStream) -> None:
    """A proxy, by CONNECT or SOCKS 5: the shelf's name is the shelf, any other the server; loopback is itself."""
    try:
        first = await stream.receive_some(1)
        host, port, yes = await (_by_socks(stream) if first == b"\5" else _by_connect(stream, first))
    except (trio.BrokenResourceError, EOFError):
        await trio.aclose_forcefully(stream)
        return
    server.dialled.append(f"{host}:{port}")
    there = {"127.0.0.1": port, HOST: shelf}.get(host, door)
    async with stream, await trio.open_tcp_stream("127.0.0.1", there) as inner:
        await stream.send_all(yes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_pump, stream, inner, nursery.cancel_scope)
            nursery.start_soon(_pump, inner, stream, nursery.cancel_scope)


async def _by_connect(stream: trio.SocketStream, first: bytes) -> tuple[str, int, bytes]:
    """Where it leads, and what is answered once it does. EOFError: it hung up, or wants something else."""
    head = first + (await _head(stream))[0]
    found = re.match(rb"CONNECT ([^ :]+):([0-9]+) ", head)
    if found is None:
        raise EOFError
    return found[1].decode(), int(found[2]), b"HTTP/1.1 200 OK\r\n\r\n"


async def _by_socks(stream: trio.SocketStream) -> tuple[str, int, bytes]:
    """The same. Source: RFC 1928, without a way to sign in."""
    await _exactly(stream, (await _exactly(stream, 1))[0])
    await stream.send_all(b"\5\0")
    kind = (await _exactly(stream, 4))[3]
    raw = await _exactly(stream, 4 if kind == 1 else (await _exactly(stream, 1))[0])
    host = ".".join(map(str, raw)) if kind == 1 else raw.decode()
    return host, int.from_bytes(await _exactly(stream, 2), "big"), b"\5\0\0\1" + bytes(6)


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    got = b""
    while len(got) < size:
        if not (data := await stream.receive_some(size - len(got))):
            raise EOFError
        got += data
    return got


async def _pump(source: trio.SocketStream, target: trio.SocketStream, scope: trio.CancelScope) -> None:
    try:
        async for data in source:
            await target.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    scope.cancel()
