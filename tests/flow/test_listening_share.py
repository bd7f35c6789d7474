"""Two gateways on one database: one listens for an account, and the other takes over when it is gone."""

from __future__ import annotations

from contextlib import AsyncExitStack

import trio

from tests.fake_listener import Tape
from tests.fake_provider import installed
from tests.inprocess import running_gateway
from wagate.inbound.holding import LEASE, RENEW

pytest_plugins = ("tests.valkey",)


async def test_one_gateway_listens_and_another_takes_over(external_url: str, postgres_url: str) -> None:
    tape = Tape()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    with installed(tape=tape):
        async with running_gateway(tables) as second, AsyncExitStack() as stack:
            first = await stack.enter_async_context(running_gateway(tables))
            await first.ask("POST", "/api/accounts", 201, json={"name": "main", "provider": "tape"})
            with trio.fail_after(60):
                while not tape.ran:
                    first.clock.shift(RENEW)
                    await trio.sleep(0.05)
            for _ in range(10):  # less than a lease in all, so that it holds on the slowest machine
                second.clock.shift(1.0)
                await trio.sleep(0.05)
            assert tape.ran == ["main"]
            await stack.aclose()
            with trio.fail_after(60):
                while tape.ran != ["main", "main"]:
                    second.clock.shift(LEASE / 3)
                    await trio.sleep(0.05)
