"""Two gateways, one number: the one that holds it is killed, and the other goes on with its keys."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from tests.whatsapp_gateway import Whole, two
from tests.whatsapp_site import ANA, BOB, OURS

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
