"""Two gateways, one number: the one that holds it is killed or loses its lease, and the other goes on with its keys.

How long that takes is printed; `tests/contract/test_holders.py` holds it to 15 s, on a clock that jumps.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.whatsapp_gateway import Whole, two
from tests.whatsapp_site import ANA, BOB, OURS, connected, send, site
from wagate.errors import NotSentError

pytest_plugins = ("tests.valkey",)
IN, OUT = 60, 8
"""Messages each way: half of them before the kill."""


async def write(here: Whole, sent: list[str]) -> None:
    """Ana writes, all the time."""
    for number in range(IN):
        sent.append(f"in {number:02}")
        await here.world.text(ANA, sent[-1])
        await trio.sleep(0.1)


async def answer(here: Whole, numbers: range) -> None:
    """Both people are written to through this gateway, which needs not be the one with the number."""
    for number in numbers:
        body = {"to": (ANA, BOB)[number % 2], "message": f"out {number}", "account": "main", "tenant_id": "default"}
        got = await here.server.http.post("/messages/send", json=body, headers={"Prefer": "respond-async"})
        assert got.status_code == 202, got.text


@pytest.mark.timeout(300)
async def test_another_gateway_takes_the_number_over(external_url: str, postgres_url: str) -> None:
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    async with two(tables) as (first, second):
        await first.link()
        await second.server.start()
        server, sent = first.fake.server, list[str]()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, first, sent)
            await answer(second, range(OUT // 2))
            await first.sink.until(lambda _: len(first.texts) >= IN // 3)
            await server.until(lambda: len(server.messages) >= OUT // 2)
            logins, engines, began = server.logins, first.engines(), trio.current_time()
            assert len(engines) == 1  # the second one needs none yet
            first.server.kill()
            await answer(second, range(OUT // 2, OUT))
            await server.until(lambda: server.logins > logins)
            print(f"\ntaken over after {trio.current_time() - began:.1f} s")
        await second.sink.until(lambda _: len(set(second.texts)) == IN, 120)
        await server.until(lambda: len(server.messages) == OUT)
        assert list(dict.fromkeys(second.texts)) == sent
        ids = {each.id: each.json["content"] for each in first.sink.accepted if each.json["event"] == "message"}
        assert Counter(ids.values()) == Counter(sent)  # no message became two events
        for person in (ANA, BOB):
            got = [each.text for each in server.messages if each.to == person]
            assert got == [f"out {number}" for number in range(OUT) if (ANA, BOB)[number % 2] == person]
        assert server.connected(OURS)
        assert len(second.engines()) == 1
        assert second.engines() != engines
        assert (await second.session())["isConnected"]
        assert server.errors == []


class Relay:
    """A way to PostgreSQL's socket, on which everything can be made to hang."""

    def __init__(self, real: str) -> None:
        self._real = real
        self._open = trio.Event()
        self._open.set()

    def hang(self) -> None:
        """From here on nothing gets through; whoever waits is not told."""
        self._open = trio.Event()

    def go_on(self) -> None:
        """What hung arrives."""
        self._open.set()

    async def serve(self, stream: trio.SocketStream) -> None:
        async with await trio.open_unix_socket(self._real) as real, trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on, stream, real, nursery.cancel_scope)
            nursery.start_soon(self._pass_on, real, stream, nursery.cancel_scope)

    async def _pass_on(self, source: trio.SocketStream, to: trio.SocketStream, over: trio.CancelScope) -> None:
        try:
            async for data in source:
                await self._open.wait()
                await to.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        over.cancel()


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[tuple[Relay, str]]:
    """A relay, and the URL that leads over it."""
    found = re.search("host=([^&]+)", url)
    assert found is not None, url
    relay = Relay(f"{found[1]}/.s.PGSQL.5432")
    with tempfile.TemporaryDirectory(prefix="wgr") as folder:
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.bind(str(Path(folder) / ".s.PGSQL.5432"))
        sock.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(trio.serve_listeners, relay.serve, [trio.SocketListener(sock)]))
            yield relay, url.replace(found[1], folder)
            nursery.cancel_scope.cancel()


@pytest.mark.timeout(300)
async def test_a_gateway_whose_database_hangs_leaves_the_number_to_another(
    external_url: str, postgres_url: str
) -> None:
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    async with relayed(postgres_url) as (relay, by_relay), two(tables, database={"url": by_relay}) as (first, second):
        await first.link()
        await second.server.start()
        server = first.fake.server
        logins, began = server.logins, trio.current_time()
        relay.hang()
        await server.until(lambda: not server.connected(OURS))
        gone = trio.current_time() - began
        await server.until(lambda: server.logins > logins)
        print(f"\ngiven up after {gone:.1f} s, taken over after {trio.current_time() - began:.1f} s")
        assert await first.server.answers()
        await first.world.text(ANA, "to the other")
        await second.sink.until(lambda _: "to the other" in second.texts)
        relay.go_on()
        await answer(first, range(2))
        await server.until(lambda: len(server.messages) == 2)
        assert (server.logins, server.errors) == (logins + 1, [])


async def test_a_number_that_another_gateway_may_hold_is_let_go_of_with_its_keys(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        assert here.provider.release is not None
        async with here.listening() as inlet:
            await here.link(inlet)
        assert here.fake.server.connected(OURS)  # at a stop messages still leave
        await here.provider.release(here.account)
        assert not here.fake.server.connected(OURS)
        with pytest.raises(NotSentError, match="another gateway has the number"):
            await send(here, text="not from here")
        owner = os.open(here.folder / here.account.id / "spool.lock", os.O_RDWR)
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its folder is free
        os.close(owner)
        async with here.listening() as inlet:
            await connected(inlet)
            await send(here, text="from here again")
        assert here.fake.server.errors == []
