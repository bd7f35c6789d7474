"""Receivers that answer what no answer may be, beside receivers that share their host with them."""

from __future__ import annotations

import random
import re
import ssl
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

import trio

from tests.attack.case import HELD_UP, Case, Client, Target, new_client
from tests.sink import authority

Wire = trio.SSLStream[trio.SocketStream]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NO = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"
GOOD = frozenset({"same", "other"})
"""Paths of those that mean well: the first of the client that means harm, the second of another."""
PATIENCE = 240.0


def plain(*pieces: bytes, wait: float = 0.0) -> Callable[[Wire], Awaitable[None]]:
    """Sends these, and waits before each but the first."""

    async def answer(wire: Wire) -> None:
        for number, piece in enumerate(pieces):
            if number:
                await trio.sleep(wait)
            await wire.send_all(piece)

    return answer


async def endless_head(wire: Wire) -> None:
    await wire.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await wire.send_all(b"X-%d: %s\r\n" % (random.randrange(10**6), b"x" * 4000))


async def endless_body(wire: Wire) -> None:
    await wire.send_all(CHUNKED)
    while True:
        await wire.send_all(b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def endless_informational(wire: Wire) -> None:
    while True:
        await wire.send_all(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 50)


async def drip(wire: Wire) -> None:
    for byte in b"HTTP/1.1 500 No\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000:
        await wire.send_all(bytes([byte]))
        await trio.sleep(0.05)


async def bomb(wire: Wire) -> None:
    content = await trio.to_thread.run_sync(_packed)
    head = b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content)
    await wire.send_all(head + content)


@cache
def _packed() -> bytes:
    """300 MB in less than 2 MB, made when it is needed: it takes half a second."""
    packer, megabyte = zlib.compressobj(1, wbits=31), b"x" * 10**6
    return b"".join(packer.compress(megabyte) for _ in range(300)) + packer.flush()


async def reset(wire: Wire) -> None:
    wire.transport_stream.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: closing sends RST
    await trio.aclose_forcefully(wire)


CHUNKED = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
SHAPES: dict[str, Callable[[Wire], Awaitable[None]]] = {
    "twice": plain(NO + OK),
    "thrice": plain(NO + OK + OK),
    "late": plain(NO, OK, wait=0.02),
    "very-late": plain(NO, OK, OK, wait=0.3),
    "no-content": plain(b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK),
    "bodiless": plain(b"HTTP/1.1 304 Not Modified\r\n\r\n" + OK),
    "switching": plain(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + OK),
    "two-lengths": plain(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nContent-Length: 41\r\n\r\n" + OK),
    "two-framings": plain(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + OK),
    "negative": plain(b"HTTP/1.1 500 No\r\nContent-Length: -1\r\n\r\n" + OK),
    "folded": plain(b"HTTP/1.1 500 No\r\nX: a\r\n b\r\nContent-Length:\r\n 0\r\n\r\n" + OK),
    "odd-chunks": plain(
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2;x=\xff\r\nno\r\n0\r\nX: y\r\n\r\n" + OK
    ),
    "wrong-chunks": plain(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nno\r\n" + OK),
    "old": plain(b"HTTP/0.9 500 No\r\n\r\n" + OK),
    "two": plain(b"HTTP/2.0 500 No\r\nContent-Length: 0\r\n\r\n" + OK),
    "no-http": plain(b"\x15\x03\x01\x00\x02\x02\x28" * 50),
    "nothing": plain(),
    "half": plain(b"HTTP/1.1 500 No\r\nContent-Length: 200\r\n\r\nhalf"),
    "to-another": plain(b"HTTP/1.1 307 There\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"),
    "steers": plain(b"HTTP/1.1 500 \x1b[31m\xff\x00\r\nX-\x1b: y\r\nContent-Length: 4\r\n\r\n\x1b[2J"),
    "retry-nan": plain(b"HTTP/1.1 429 No\r\nRetry-After: nan\r\nContent-Length: 0\r\n\r\n"),
    "retry-huge": plain(b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 5000 + b"\r\nContent-Length: 0\r\n\r\n"),
    "retry-past": plain(b"HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"),
    "bomb": bomb,
    "endless-head": endless_head,
    "endless-body": endless_body,
    "endless-informational": endless_informational,
    "drip": drip,
    "reset": reset,
}
LATE = frozenset({"late", "very-late"})
"""What comes when the next request has left can't be told from its answer: only the same client's at the same host."""


class Host:
    """One host for all of them; who means well is counted."""

    def __init__(self) -> None:
        self.url = ""
        self.came: Counter[tuple[str, str]] = Counter()
        """How often each message came at each path."""
        self.changed = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority().issue_cert("localhost").configure_cert(tls)
        wire = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            while await self._one(wire):
                pass
        await trio.aclose_forcefully(wire)

    async def _one(self, wire: Wire) -> bool:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            more = await wire.receive_some(65536)
            if not more:
                return False
            data += more
        head = data[:end].decode("latin-1")
        length = re.search(r"(?im)^content-length: (\d+)", head)
        name = head.split(" ", 2)[1].strip("/")
        while len(data) < end + 4 + int(length[1] if length else 0):
            data += await wire.receive_some(65536)
        text = re.search(rb'"content":"([^"]*)"', data)
        self.came[name, text[1].decode() if text else ""] += 1
        changed, self.changed = self.changed, trio.Event()
        changed.set()
        await (plain(OK) if name in GOOD else SHAPES[name])(wire)
        return True


@asynccontextmanager
async def host() -> AsyncIterator[Host]:
    """A host on loopback."""
    made = Host()
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    made.url = f"https://localhost:{listener.socket.getsockname()[1]}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, made.serve, [listener])
        yield made
        nursery.cancel_scope.cancel()


async def foreign_answers(target: Target) -> str:
    """Hooks that answer so, beside two that mean well: these get each message once, none of those counts."""
    count = target.times(200, 20)
    before = target.memory()
    async with host() as there, new_client(target) as mean, new_client(target) as late, new_client(target) as other:
        early = [name for name in SHAPES if name not in LATE]
        for name in LATE:
            await late.webhook(f"{there.url}/{name}")
        hooks = {name: await mean.webhook(f"{there.url}/{name}") for name in (*early, "same")}
        hooks["other"] = await other.webhook(f"{there.url}/other")
        await say(target, (mean, late, other), count)
        wanted = {(name, f"{number}") for name in GOOD for number in range(count)}
        with trio.move_on_after(PATIENCE):
            while not wanted <= there.came.keys():
                await there.changed.wait()
        lost = wanted - there.came.keys()
        assert not lost, f"{len(lost)} of {len(wanted)} did not come: {sorted(lost)[:5]}"
        twice = {each: times for each, times in there.came.items() if each in wanted and times > 1}
        assert not twice, f"came more than once: {twice}"
        foreign = {each for each in there.came if each[0] in GOOD} - wanted
        assert not foreign, f"came from elsewhere: {foreign}"
        await delivered(mean, hooks["same"], count)
        await delivered(other, hooks["other"], count)
        for name in early:
            rows = await mean.rows(hooks[name])
            wrong = [row for row in rows if row["status"] == "delivered"]
            assert not wrong, f"{name} counts as delivered: {wrong[0]}"
        took, grown = await target.answers(), target.memory() - before
    assert grown < MORE, f"{grown:.0f} MB more"
    assert took < HELD_UP, f"the loop was held up for {took:.0f} ms"
    return (
        f"{len(SHAPES)} shapes, {2 * count} messages of those who mean well; {grown:+.0f} MB, "
        f"the loop was held up for {took:.0f} ms"
    )


MORE = 120
"""Megabytes by which memory may grow meanwhile."""


async def say(target: Target, clients: tuple[Client, ...], count: int) -> None:
    for number in range(count):
        for client in clients:
            chat = f"+1555{target.random.randrange(count):07}"
            body: dict[str, Any] = {"from": chat, "message": str(number), "message_id": f"m{number}"}
            answer = await target.process.http.post("/webhook/inbound", json=body | {"tenant_id": client.slug})
            assert answer.status_code == 202, answer.text


async def delivered(client: Client, hook: str, count: int) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            rows = await client.rows(hook)
            if sum(row["status"] == "delivered" for row in rows) == min(count, 100):
                return
            await trio.sleep(0.2)


CASES = (
    Case("foreign answers", "no answer counts for another request, and none takes memory or the loop", foreign_answers),
)
