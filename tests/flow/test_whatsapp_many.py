"""Many numbers in one engine: each gets its own, what breaks one harms no other, and all come back when it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio
from msgspec import structs

from tests.effort import effort
from tests.whatsapp_site import ANA, connected, engine_pid, site
from wagate.events import SessionStatus
from wagate.hooks import Outgoing, OutMessage
from wagate.testing import FakeInlet
from wagate.testing.whatsapp import World

NUMBERS = effort(4, 50)
AT_ONCE = 2
"""Numbers that are linked at the same time: each has a process of its own meanwhile."""
FIRST = 5511900000000


def phone(number: int) -> str:
    return str(FIRST + number)


async def hears(world: World, inlet: FakeInlet, text: str) -> None:
    """Somebody writes to one of our numbers."""
    await world.text(ANA, text)
    await inlet.until(lambda: inlet.texts[-1:] == [text])


@pytest.mark.slow
async def test_many_numbers_share_an_engine_and_none_harms_another(tmp_path: Path) -> None:
    async with site(tmp_path) as here, trio.open_nursery() as nursery:
        inlets, limit, server = [FakeInlet() for _ in range(NUMBERS)], trio.CapacityLimiter(AT_ONCE), here.fake.server
        worlds = [here.fake.world(phone(each)) for each in range(NUMBERS)]
        accounts = [structs.replace(here.account, id=f"0190-{each}", name=f"n{each}") for each in range(NUMBERS)]

        async def link(number: int) -> None:
            assert here.provider.run is not None
            async with limit:
                nursery.start_soon(here.provider.run, accounts[number], inlets[number])
                await here.link(inlets[number], phone(number))

        async with trio.open_nursery() as linking:
            for number in range(NUMBERS):
                linking.start_soon(link, number)
        first, *others = range(NUMBERS)
        await server.log_out(phone(first))
        await inlets[first].until(lambda: inlets[first].states[-1].status == SessionStatus.AUTH_FAILURE)
        for number in others:
            await hears(worlds[number], inlets[number], f"for {number}")
            assert inlets[number].states[-1].status == SessionStatus.SESSION_CONNECTED
        for inlet in inlets:
            inlet.states.clear()
        os.kill(engine_pid(), signal.SIGKILL)
        for number in others:
            await connected(inlets[number])
            await hears(worlds[number], inlets[number], f"again for {number}")
            assert inlets[number].texts == [f"for {number}", f"again for {number}"]
        assert (inlets[first].states, inlets[first].texts) == ([], [])
        message = OutMessage(chat=f"{ANA}@c.us", type="text", text="from the last")
        assert here.provider.send is not None
        await here.provider.send(Outgoing(id="0191", message=message, account=accounts[-1]))
        await server.until(lambda: [each.text for each in server.messages] == ["from the last"])
        assert server.errors == []
        nursery.cancel_scope.cancel()
