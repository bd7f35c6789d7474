"""What nobody read of a request's body is not kept."""

from __future__ import annotations

import gc

import pytest
import trio
import trio.testing

from tests.http_site import BIG, H2Client, ignore_broken, serving

pytestmark = pytest.mark.timeout(120)

UNREAD = b"\xfe" * BIG


def kept() -> int:
    """Bytes of that body which anything holds, what waits for the collector too; its dicts are not listed by it."""
    found = {}
    for each in gc.get_objects():
        for one in gc.get_referents(each):
            for part in one.values() if type(one) is dict and not gc.is_tracked(one) else (one,):
                if isinstance(part, bytes | bytearray) and part is not UNREAD and part[-100:] == UNREAD[-100:]:
                    found[id(part)] = len(part)
    return sum(found.values())


@pytest.mark.parametrize("path", ["/refuse", "/refuse over HTTP/2", "/hello"])
async def test_what_nobody_read_of_a_body_is_let_go_with_its_connection(path: str) -> None:
    """Not only when the collector comes: cycles of ours, hypercorn's and errors' tracebacks keep the rest till then."""
    gc.collect()
    gc.disable()
    try:
        async with serving("wagate") as server:
            client = await server.connect()

            async def upload() -> None:
                if path.endswith("HTTP/2"):
                    await H2Client(client.stream).ask(b"/refuse", UNREAD[:16_000])
                else:
                    await client.ask(path, "POST", f"Content-Length: {BIG}\r\n", UNREAD[:60_000])
                    await client.send(UNREAD[60_000:])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ignore_broken, upload)
                if path == "/hello":
                    await client.answer()
                else:
                    await server.site.running.wait()
                    await trio.testing.wait_all_tasks_blocked(0.05)
                    assert kept() > 10_000
                    server.site.go_on.set()
                    await server.site.disconnected.wait()
                nursery.cancel_scope.cancel()
            await client.stream.aclose()
            server.stop.set()
            await server.done.wait()
        assert kept() == 0
    finally:
        gc.enable()
