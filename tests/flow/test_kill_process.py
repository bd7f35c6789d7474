"""kill -9 under load: nothing accepted is lost, no chat is swapped, and what comes twice is counted."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio

from tests.effort import effort
from tests.gateway import GatewayProcess, gateway, register
from tests.proof import PATIENT, assert_explained, assert_in_order, fails_at_first, given_up, repeated, until_delivered
from tests.provider import Provider
from tests.sink import https_sink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHATS = effort(40, 100)
AT_LEAST = effort(10, 20)
"""Messages of each chat; more while the kills go on."""
ROUNDS = effort(1, 4)
"""Of six starts, in which each way to kill is tried: seven kills."""
IN_FLIGHT = 64
"""Deliveries at once: the default of ``queue.concurrency``."""


async def test_kills_under_load_lose_nothing_and_swap_nothing() -> None:
    script = fails_at_first(every=20)
    async with https_sink(script, delay=0.02) as sink, gateway(PATIENT, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=CHATS, at_least=AT_LEAST, pause=(0.0, 0.5))
        kills: list[int] = []

        def kill() -> None:
            server.kill()
            kills.append(sink.connections)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for number in range(6 * ROUNDS):
                await trio.sleep(random.uniform(0.02, 1.0))
                await kill_somehow(server, number, kill)
                await server.start()
            provider.finish()
        await until_delivered(sink, provider, 300)
        assert await given_up(server) == []
    twice = repeated(sink)
    print(
        f"\n{provider.accepted} messages accepted, {provider.unanswered} requests unanswered, {len(kills)} kills, "
        f"{len(sink.got) - len(sink.accepted)} answers of 500, {len(twice)} duplicates"
    )
    assert_in_order(sink, provider.chats)
    assert_explained(twice, kills, IN_FLIGHT)
    assert len(kills) == 7 * ROUNDS
    assert provider.accepted >= CHATS * AT_LEAST
    assert set(provider.refused) <= {503}


async def kill_somehow(server: GatewayProcess, number: int, kill: Callable[[], None]) -> None:
    """The gateway each time; in turn also its Valkey before it, with it, or the next gateway while it starts."""
    match number % 6:
        case 1:
            server.kill_valkey()
            await trio.sleep(random.uniform(0.0, 1.0))
            kill()
        case 3:
            kill()
            server.kill_valkey()
        case 5:
            kill()
            server.spawn()
            await trio.sleep(random.uniform(0.1, 1.5))
            kill()
        case _:
            kill()
