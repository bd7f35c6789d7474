"""What only the queue forgets, and what a stop in good order leaves: nothing lost, nothing swapped, nothing twice."""

from __future__ import annotations

import random

import pytest
import redis
import trio

from tests.gateway import GatewayProcess, gateway, register
from tests.proof import assert_in_order, fails_at_first, given_up, repeated, until_delivered
from tests.provider import Provider
from tests.sink import Sink, https_sink
from wagate.queue.place import open_place

pytestmark = pytest.mark.slow

DRAIN = 120.0
"""Seconds a stop may wait for work in flight, half of them for deliveries: more than `GatewayProcess.stop` waits."""
PATIENT = {"server": {"drain": f"{DRAIN:g}s"}, "delivery": {"timeout": "60s"}}
"""However slow the machine is, no attempt is given up."""


async def test_flushall_in_mid_flight_loses_nothing_swaps_nothing_and_sends_nothing_twice() -> None:
    async with https_sink(fails_at_first(every=20), delay=0.02) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=60, at_least=20, pause=(0.0, 0.5))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for _ in range(10):
                await trio.sleep(random.uniform(0.2, 0.8))
                await flush_with_work(server)
            provider.finish()
        await until_delivered(sink, provider, 150)
        assert await given_up(server) == []
    assert_in_order(sink, provider.chats)
    assert repeated(sink) == []
    assert provider.accepted >= 1200
    assert not provider.refused
    assert provider.unanswered == 0, "the door never noticed"


async def test_stops_under_load_are_in_good_order_and_nothing_is_sent_twice() -> None:
    async with https_sink(fails_at_first(every=20), delay=0.3) as sink, gateway(PATIENT, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=100, at_least=10, pause=(0.0, 1.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for _ in range(4):
                await trio.sleep(random.uniform(0.8, 1.6))
                await until_in_flight(sink)
                assert await server.stop(wait=DRAIN / 2 - 5) == 0, server.tail()
                await server.start()
            provider.finish()
        await until_delivered(sink, provider, 150)
        assert await given_up(server) == []
    assert_in_order(sink, provider.chats)
    assert repeated(sink) == []
    assert provider.accepted >= 1000
    assert not provider.refused


async def until_in_flight(sink: Sink) -> None:
    """Wait until the receiver works on something. It works here: so long as nobody waits, that stays unanswered."""
    with trio.fail_after(60):
        while not sink.running:
            await trio.sleep(0.01)


def flush_all(server: GatewayProcess) -> int:
    """Make the embedded Valkey forget everything; how many keys there were."""
    place = open_place(server.folder / "data")
    with redis.Redis(unix_socket_path=str(place.socket)) as connection:
        keys = int(connection.dbsize())
        connection.flushall()
        return keys
