"""Somebody asks for the same pairing twice: two codes at once, and a start while one runs; the real engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.whatsapp_site import ANA, OURS, Site, connected, engine_pid, site
from wagate.errors import NotSentError, SendRefusedError
from wagate.testing import FakeInlet


async def at_once(*calls: Callable[[], Awaitable[str]]) -> list[str]:
    """What each gave."""
    found = [""] * len(calls)

    async def ask(number: int) -> None:
        found[number] = await calls[number]()

    async with trio.open_nursery() as nursery:
        for number in range(len(calls)):
            nursery.start_soon(ask, number)
    return found


async def one_session(here: Site, inlet: FakeInlet) -> None:
    """Linked once, held by one engine, and it works."""
    await connected(inlet)
    engine_pid()
    assert len(here.fake.server.devices) == 1
    await here.world.text(ANA, "hello")
    await inlet.until(lambda: inlet.texts == ["hello"])
    assert here.fake.server.errors == []


async def test_two_codes_asked_for_at_once_are_one_and_it_links(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        pair_code = here.provider.pair_code
        assert pair_code is not None
        codes = await at_once(*[lambda: pair_code(OURS, here.account)] * 2)
        assert codes[0] == codes[1]
        engine_pid()
        anew = await pair_code(OURS, here.account)  # only of those that are asked for at once: one that expired is none
        assert anew != codes[0]
        await here.fake.server.type_code(anew, OURS)
        await one_session(here, inlet)
        with pytest.raises(SendRefusedError, match="already linked; log it out first"):
            await pair_code(OURS, here.account)


async def test_a_start_leaves_the_codes_that_are_shown(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        pair_code, control, qr = here.provider.pair_code, here.provider.control, here.provider.qr
        assert pair_code is not None
        assert control is not None
        assert qr is not None
        await inlet.until(lambda: bool(inlet.states))
        await control("start", here.account)  # before there is one
        await inlet.until(lambda: inlet.states[-1].qr is not None)
        pairing, shown = engine_pid(), await qr(here.account)
        codes = await at_once(*[lambda: pair_code(OURS, here.account), lambda: qr(here.account)])
        for _ in range(2):
            await control("start", here.account)
        assert (codes[1], await qr(here.account), engine_pid()) == (shown, shown, pairing)
        assert here.fake.server.asked_for_codes == 1
        await here.fake.server.type_code(codes[0], OURS)
        await one_session(here, inlet)


async def test_a_restart_ends_the_codes_that_are_shown_and_says_so(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        pair_code, control, qr = here.provider.pair_code, here.provider.control, here.provider.qr
        assert pair_code is not None
        assert control is not None
        assert qr is not None
        await inlet.until(lambda: bool(inlet.states) and inlet.states[-1].qr is not None)
        first, answers = await qr(here.account), list[str]()

        async def ask() -> None:
            try:
                answers.append(await pair_code(OURS, here.account))
            except NotSentError as error:
                answers.append(str(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            await control("restart", here.account)
        await inlet.until(lambda: inlet.states[-1].qr not in {None, first})
        engine_pid()
        assert answers == ["WhatsApp gave no code: the code expired; request a new one"]
        await here.link(inlet)
        await one_session(here, inlet)
