"""Redis wiped in mid-flight, and a stop under load: nothing lost, nothing swapped, nothing twice."""

from __future__ import annotations

import pytest
import redis
import trio

from tests.gateway import GatewayProcess, gateway, register
from tests.proof import assert_in_order, given_up, repeated, until_delivered
from tests.provider import Provider
from tests.sink import https_sink

pytestmark = pytest.mark.slow

CHATS = 50
AT_LEAST = 20


def flush(server: GatewayProcess) -> int:
    """FLUSHALL on its embedded Valkey; how many keys there were."""
    [configured] = (server.folder / "data/valkey").glob("*.conf")
    words = [line.split() for line in configured.read_text().splitlines()]
    path = next(parts[1].strip('"') for parts in words if parts and parts[0] == "unixsocket")
    client = redis.Redis(unix_socket_path=path)
    keys = client.dbsize()
    client.flushall()
    client.close()
    return int(keys)


async def test_a_redis_that_loses_everything_in_mid_flight_costs_no_message() -> None:
    async with https_sink(delay=0.05) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=CHATS, at_least=AT_LEAST)
        flushed: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for accepted in (150, 400, 700):
                await provider.until_accepted(accepted)
                flushed.append(await trio.to_thread.run_sync(flush, server))
            provider.finish()
        await until_delivered(sink, provider, 90)
        assert await given_up(server) == []
    assert min(flushed) > 0, "there was something to lose"
    assert_in_order(sink, provider.chats)
    assert repeated(sink) == []
    assert provider.unanswered == 0


async def test_a_stop_under_load_loses_nothing_and_repeats_nothing() -> None:
    async with https_sink(delay=0.05) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=CHATS, at_least=AT_LEAST)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for accepted in (100, 300, 600):
                await provider.until_accepted(accepted)
                assert await server.stop() == 0
                await server.start()
            provider.finish()
        await until_delivered(sink, provider, 60)
    assert_in_order(sink, provider.chats)
    assert repeated(sink) == []
