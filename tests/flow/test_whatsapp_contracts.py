"""Our own engine by the contracts of the kit, against the fake server."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import trio

from tests.whatsapp_site import ANA, OURS, site
from wagate.hooks import Provider, ProviderAccount
from wagate.testing import ListeningContract, ProviderContract, ProviderUnderTest


class TestListening(ListeningContract):
    async def open(self, stack: AsyncExitStack) -> tuple[Provider, ProviderAccount, Callable[[str], Awaitable[None]]]:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = await stack.enter_async_context(site(folder))
        async with here.listening() as inlet:
            await here.link(inlet)

        async def write(text: str) -> None:
            await here.world.text(ANA, text)

        return replace(here.provider, lifespan=None), here.account, write  # the site has entered it


class TestProvider(ProviderContract):
    async def open(self, stack: AsyncExitStack) -> ProviderUnderTest:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = await stack.enter_async_context(site(folder))
        inlet = await stack.enter_async_context(here.listening())
        await here.link(inlet)
        server = here.fake.server
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)

        def hangs_up() -> None:
            server.swallow = 1
            nursery.start_soon(break_off)

        async def break_off() -> None:
            """Once it has the message; nobody is let in again, so that it is not handed over a second time."""
            await server.until(lambda: server.swallow == 0)
            for _ in range(100):
                server.refuse(reason="503")
            await server.cut(OURS)

        async def write(text: str) -> None:
            await here.world.text(ANA, text)

        return ProviderUnderTest(
            provider=here.provider,
            account=here.account,
            person=f"{ANA}@c.us",
            writes=write,
            inlet=inlet,
            accepts=lambda: None,
            stumbles=hangs_up,
            hangs_up=hangs_up,
        )
