"""A process stands still: the gateway itself, or its Valkey."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import trio

from scripts.chaos.scenario import Scenario, Size
from tests.gateway import GatewayProcess, gateway, register
from tests.proof import assert_in_order, until_delivered
from tests.provider import Provider
from tests.sink import https_sink

TIMEOUT = 2.0
"""Seconds that a receiver has in the scenario of the pause."""


async def pause(size: Size) -> str:
    """Stop the gateway for longer than a receiver has time, with requests under way that are answered meanwhile."""
    tables = {"delivery": {"timeout": f"{TIMEOUT:g}s"}}
    async with https_sink(delay=TIMEOUT / 4) as sink, gateway(tables, ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        rounds = size.of(2, 8)
        for number in range(rounds):
            accepted = len(sink.accepted)
            async with trio.open_nursery() as nursery:
                for chat in range(12):
                    nursery.start_soon(post, server, f"{number}:{chat}", f"+1555000{chat:04}")
                await sink.until(lambda sink, most=accepted + 12: sink.running + len(sink.accepted) >= most)
                os.kill(server.pid, signal.SIGSTOP)
                try:
                    await trio.sleep(size.dice.uniform(2, 3) * TIMEOUT)
                finally:
                    os.kill(server.pid, signal.SIGCONT)
            await sink.until_accepted(accepted + 12)
        tries = server.logged("delivery")
        failed = [line for line in tries if line["outcome"] != "delivered"]
        assert not failed, f"{len(failed)} of {len(tries)} tries failed: {failed[0]['error']}"
        assert not server.logged("target is down")
        assert sink.duplicates == 0
    return f"{12 * rounds} answers that lay in the sockets, all counted"


async def post(server: GatewayProcess, text: str, chat: str) -> None:
    """One message comes in; it may have come before."""
    body = {"from": chat, "to": "+15559999999", "message": text, "message_id": text, "tenant_id": "default"}
    answer = await server.http.post("/webhook/inbound", json=body)
    assert answer.is_success, answer.text


async def hung_valkey(size: Size) -> str:
    """Stop the embedded Valkey in mid-traffic."""
    took = []
    async with https_sink(delay=0.01) as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        provider = Provider(server, chats=20, at_least=10, pause=(0.0, 0.2))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.send)
            for _ in range(size.of(1, 3)):
                await provider.until_accepted(provider.accepted + 50)
                took.append(await replaced(server))
            provider.finish()
        await until_delivered(sink, provider, 120)
        assert_in_order(sink, provider.chats)
        assert not provider.refused, f"the door noticed: {provider.refused}"
    return f"replaced after {', '.join(f'{seconds:.1f}' for seconds in took)} s; {provider.accepted} messages in order"


async def replaced(server: GatewayProcess) -> float:
    """Stop it for good; seconds until another one runs."""
    before = server.valkey_pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    began = time.monotonic()
    with trio.fail_after(60):
        while server.valkey_pid in {before, None}:
            await trio.sleep(0.05)
    return time.monotonic() - began


async def hung_orphan(size: Size) -> str:
    """Kill the gateway while its Valkey hangs, so that the next one finds it in its folder."""
    took = []
    async with https_sink() as sink, gateway(ca_file=sink.ca_file) as server:
        await register(server, sink.url)
        for number in range(size.of(1, 5)):
            await post(server, f"{number}:before", "+15550001234")
            await sink.until_accepted(2 * number + 1)
            hung = server.valkey_pid
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
            try:
                if size.dice.random() < 0.5:
                    await trio.sleep(size.dice.uniform(0, 5))
                await post(server, f"{number}:hung", "+15550001234")
                server.kill()
                began = time.monotonic()
                await server.start()
                await sink.until_accepted(2 * number + 2)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(hung, signal.SIGCONT)
            took.append(time.monotonic() - began)
    return f"started, and delivered what waited, within {max(took):.0f} s"


STANDSTILL = (
    Scenario(
        name="pause",
        fault="the gateway is stopped for longer than `delivery.timeout` and goes on",
        promise="answers that came meanwhile count: no try fails, no target goes down, nothing comes twice",
        run=pause,
    ),
    Scenario(
        name="hung-valkey",
        fault="the embedded Valkey hangs",
        promise="it is replaced within seconds; the door takes messages meanwhile, all arrive, in order",
        run=hung_valkey,
    ),
    Scenario(
        name="hung-orphan",
        fault="the gateway is killed while its embedded Valkey hangs",
        promise="the next start replaces it, and delivers what waited",
        run=hung_orphan,
    ),
)
