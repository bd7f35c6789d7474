"""Two gateways on one database: one listens for an account, and the other takes over when it is gone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace

import trio

from tests.fake_listener import Tape
from tests.fake_provider import installed
from tests.inprocess import Gateway, running_gateway
from wagate.errors import NotSentError
from wagate.hooks import Inlet, Outgoing, PluginContext, Provider, ProviderAccount, Sent, hookimpl
from wagate.inbound.listen import LEASE, RENEW

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


class Held(Tape):
    """Sends only where it listens, as what holds a connection does."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        here: set[str] = set()

        async def run(account: ProviderAccount, inlet: Inlet) -> None:
            here.add(account.id)
            try:
                await self.run(account, inlet)
            finally:
                here.discard(account.id)

        async def send(outgoing: Outgoing) -> Sent:
            if outgoing.account.id not in here:
                self.refused += 1
                raise NotSentError("it is not here", after=2.0, slow="account")
            return await self.send(outgoing)

        return [replace(self.provider(), run=run, send=send)]


async def test_messages_leave_from_the_gateway_that_holds_the_number(external_url: str, postgres_url: str) -> None:
    tape = Held()
    tables = {"database": {"url": postgres_url}, "redis": {"url": external_url}, "auth": {"secret_key": "k" * 32}}
    tables["accounts.main"] = {"provider": "tape"}

    async def write(gateway: Gateway, name: str) -> list[str]:
        texts = [f"{name} {number:02}" for number in range(20)]
        for number, text in enumerate(texts):
            body = {"account": "main", "to": f"551199999900{number % 4}@c.us", "message": text}
            await gateway.ask("POST", "/messages/send", 202, json=body, headers={"Prefer": "respond-async"})
        return texts

    with installed(tape=tape):
        async with running_gateway(tables) as holder:
            with trio.fail_after(60):
                while not tape.ran:
                    holder.clock.shift(RENEW)
                    await trio.sleep(0.05)
            async with running_gateway(tables) as other:
                texts = [*await write(other, "from the other"), *await write(holder, "from the holder")]
                with trio.fail_after(60):
                    while len(tape.sent) < len(texts):
                        await trio.sleep(0.02)
                assert sorted(tape.sent) == sorted(texts)
                for place in range(4):
                    assert [text for text in tape.sent if text in texts[place::4]] == texts[place::4]
                assert (tape.ran, tape.refused) == (["main"], 0)
                holder.stop.set()
                await tape.silent.wait()
                late = await write(other, "while nobody holds it")
                with trio.fail_after(60):
                    while len(tape.sent) < len(texts) + len(late):
                        other.clock.shift(LEASE / 3)
                        await trio.sleep(0.05)
                assert tape.ran == ["main", "main"]
