"""Two processes on one Valkey and one PostgreSQL database: they share the work, and one outlives the other."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import trio
from trio_websocket import open_websocket_url

from tests.effort import effort
from tests.gateway import TOKEN, GatewayProcess, gateway, register
from tests.proof import PATIENT, assert_explained, assert_in_order, given_up, repeated, text_of, until_delivered
from tests.provider import Provider
from tests.sink import Sink, https_sink
from tests.valkey import external_valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest_plugins = ("tests.databases",)

CHATS = effort(40, 60)
"""More than one process works on at once for one receiver (32), so that the other always has some, too."""
AT_LEAST = effort(10, 25)
"""Messages of each chat; more until one process has taken over the other's work."""
PAUSE = (0.0, 0.6)
"""Seconds between two messages of a chat: they go on for two leases, and need not fill the machine."""
LEASE = 15.0
"""Seconds: so long neither of them stands still, however busy the machine is. Else the other takes its work over."""
IN_FLIGHT = 64
"""Deliveries at once in one process: the default of ``queue.concurrency``."""


@asynccontextmanager
async def two_gateways(database: str, ca_file: Path) -> AsyncIterator[tuple[GatewayProcess, GatewayProcess]]:
    """Each with its own folder and port; Valkey, database and secrets are shared."""
    with external_valkey() as queue:
        tables = {
            "database": {"url": database},
            "redis": {"url": queue},
            "queue": {"lease": f"{LEASE:g}s"},
            **PATIENT,
            "auth": {"secret_key": "a passphrase that both know"},
        }
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(gateway(tables, ca_file=ca_file))
            yield a, await stack.enter_async_context(gateway(tables, ca_file=ca_file))


async def test_when_one_of_two_dies_for_good_the_other_delivers_everything_in_order(postgres_url: str) -> None:
    async with https_sink(delay=0.05) as sink, two_gateways(postgres_url, sink.ca_file) as (a, b):
        await register(a, sink.url)
        await until_noticed(b, sink)
        provider = Provider(a, b, chats=CHATS, at_least=AT_LEAST, pause=PAUSE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            await provider.until_accepted(CHATS * AT_LEAST // 3)
            await kill_with_work(a, sink)
            killed, killed_at, survivor = sink.connections, trio.current_time(), ports_of(b)
            with trio.fail_after(2 * LEASE + 60):
                while not b.logged("worker died"):
                    await trio.sleep(0.2)
            provider.finish()
        await until_delivered(sink, provider, 300)
        assert await given_up(b) == []
        took_over = b.logged("worker died")
    twice = repeated(sink)
    stood_still = longest_wait(sink, killed_at)
    print(f"\n{provider.accepted} accepted, {len(twice)} duplicates, taken over after {stood_still:.1f} s")
    assert_in_order(sink, provider.chats)
    assert_explained(twice, [killed], IN_FLIGHT, survivor)
    assert set(provider.refused) <= {503}
    assert [line["keys"] > 0 for line in took_over] == [True], "it held chats when it died"
    assert stood_still < 2 * LEASE + 60, "within a lease, and the time to notice: else it would be for ever"


async def test_a_webhook_registered_at_one_process_is_known_to_the_other(postgres_url: str) -> None:
    async with https_sink() as sink, two_gateways(postgres_url, sink.ca_file) as (a, b):
        await register(a, sink.url)
        await until_noticed(b, sink)


async def test_what_one_process_takes_in_reaches_who_listens_at_the_other(postgres_url: str) -> None:
    async with https_sink() as sink, two_gateways(postgres_url, sink.ca_file) as (a, b):
        url = f"{b.url.replace('http', 'ws')}/ws?x-api-key={TOKEN}&events=message"
        with trio.fail_after(60):
            async with open_websocket_url(url) as socket:
                for text in ("one", "two"):
                    message = {"id": {"_serialized": f"false_1@c.us_{text}"}, "from": "15550000111@c.us", "body": text}
                    body = {"event": "message", "data": {"message": message | {"type": "chat", "fromMe": False}}}
                    answer = await a.http.post("/api/whatsapp/webhook/main", json=body)
                    assert answer.status_code == 200, answer.text
                told = [json.loads(await socket.get_message()) for _ in range(2)]
        assert [(each["session"], each["payload"]["body"]) for each in told] == [("main", "one"), ("main", "two")]


async def kill_with_work(server: GatewayProcess, sink: Sink) -> None:
    """SIGKILL, while the receiver works on a message of this one. It works here: it answers nothing meanwhile."""
    with trio.fail_after(60):
        while not sink.busy & ports_of(server):
            await trio.sleep(0.01)
    server.kill()


def ports_of(server: GatewayProcess) -> set[int]:
    """Ports of the connections that it has."""
    return {each.laddr.port for each in psutil.Process(server.pid).net_connections("tcp")}


async def until_noticed(server: GatewayProcess, sink: Sink) -> None:
    """Have messages come in until one is delivered, each with a text of its own."""
    with trio.fail_after(60):
        for number in itertools.count():
            if sink.accepted:
                return
            body = {"from": "15550000000", "message": f"999:{number:04}", "tenant_id": "default"}
            answer = await server.http.post("/webhook/inbound", json=body)
            assert answer.status_code == 202, answer.text
            with trio.move_on_after(0.2):
                await sink.changed.wait()


def longest_wait(sink: Sink, since: float) -> float:
    """Of the chats that went on after a moment: seconds until the last of them did."""
    first: dict[str, float] = {}
    for got in sink.accepted:
        if got.at > since:
            first.setdefault(text_of(got).partition(":")[0], got.at - since)
    return max(first.values())
