"""The kit's contract for providers that listen, held to the fake one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from tests.fake_listener import Tape, TapeSettings
from wagate.hooks import Provider, ProviderAccount
from wagate.testing import ListeningContract


class TestTape(ListeningContract):
    async def open(self, stack: AsyncExitStack) -> tuple[Provider, ProviderAccount, Callable[[str], Awaitable[None]]]:
        tape = Tape()
        account = ProviderAccount(
            name="main",
            phone="",
            settings=TapeSettings(),
            webhook_secret="",
            webhook_url="",
            trust="operator",
            id="0190",
        )
        return tape.provider(), account, tape.write
