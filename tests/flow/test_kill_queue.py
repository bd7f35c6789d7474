"""What only the queue forgets, and what a stop in good order leaves: nothing lost, nothing swapped, nothing twice."""

from __future__ import annotations

import random

import pytest
import redis
import trio

from tests.effort import effort
from tests.gateway import GatewayProcess, gateway, register
from tests.proof import AGAIN, assert_in_order, fails_at_first, given_up, repeated, until_delivered
from tests.provider import Provider
from tests.sink import Sink, https_sink
from wagate.queue.valkey.folder import open_place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHATS = effort(40, 100)
AT_LEAST = effort(8, 20)
"""Messages of each chat; more while the proof goes on."""
FLUSHES = effort(3, 10)
STOPS = effort(2, 6)
DRAIN = 240.0
"""Seconds a stop may wait for work in flight, half of them for deliveries: more than `GatewayProcess.stop` waits."""
PATIENT = {"server": {"drain": f"{DRAIN:g}s"}, "delivery": {"timeout": "60s", "max_delay": AGAIN}}
"""However slow the machine is, no attempt is given up."""


async def test_flushall_in_mid_flight_loses_nothing_swaps_nothing_and_sends_nothing_twice() -> None:
    script = fails_at_first(every=20)
    async with https_sink(script, delay=0.02) as sink, gateway(PATIENT, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=CHATS, at_least=AT_LEAST, pause=(0.0, 0.5), keep_alive=False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for _ in range(FLUSHES):
                await trio.sleep(random.uniform(0.2, 0.8))
                await flush_with_work(server, sink)
            provider.finish()
        await until_delivered(sink, provider, 300)
        assert await given_up(server) == []
    assert_in_order(sink, provider.chats)
    assert repeated(sink) == []
    assert provider.accepted >= CHATS * AT_LEAST
    assert not provider.refused
    assert provider.unanswered == 0, "the door never noticed"


async def test_stops_under_load_are_in_good_order_and_nothing_is_sent_twice() -> None:
    script = fails_at_first(every=20)
    async with https_sink(script, delay=0.3) as sink, gateway(PATIENT, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=CHATS, at_least=AT_LEAST, pause=(0.0, 1.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for _ in range(STOPS):
                await trio.sleep(random.uniform(0.8, 1.6))
                await sink.until_running()
                assert await server.stop() == 0, server.tail()
                await server.start()
            provider.finish()
        await until_delivered(sink, provider, 300)
        assert await given_up(server) == []
    assert_in_order(sink, provider.chats)
    assert repeated(sink) == []
    assert provider.accepted >= CHATS * AT_LEAST
    assert not provider.refused


async def flush_with_work(server: GatewayProcess, sink: Sink) -> None:
    """Make the embedded Valkey forget everything, while it knows of chats and the receiver works on a message.

    The receiver is part of this process: it answers nothing until the flush, which nobody awaits, is done.
    """
    with trio.fail_after(60):
        await sink.until_running()
        while flush_all(server) == 0:
            await trio.sleep(0.01)
            await sink.until_running()


def flush_all(server: GatewayProcess) -> int:
    """Make the embedded Valkey forget everything; how many chats it knew of."""
    place = open_place(server.folder / "data")
    with redis.Redis(unix_socket_path=str(place.socket)) as connection:
        pipeline = connection.pipeline(transaction=True)
        pipeline.hlen("{wg:push}:state")
        pipeline.flushall()
        known, _ = pipeline.execute()
        return int(known)
