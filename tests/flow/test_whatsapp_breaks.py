"""Connections that end at the worst moment: in the middle of a frame, and right after the scan; the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.whatsapp_site import ANA, OURS, connected, engine_pid, site
from wagate.events import SessionStatus
from wagate_whatsapp import pairing
from wagate_whatsapp.listen import WATCHDOG
from wagate_whatsapp.reasons import SOON


async def test_a_message_whose_frame_breaks_off_in_the_middle_arrives_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, logins = here.fake.server, here.fake.server.logins
        server.torn = 1
        await here.world.text(ANA, "in the middle")
        assert (server.torn, server.connected(OURS)) == (0, False)
        await here.world.text(ANA, "meanwhile")
        await server.until(lambda: server.connected(OURS))
        await here.world.text(ANA, "after")
        await inlet.until(lambda: "after" in inlet.texts)
        assert inlet.texts == ["in the middle", "meanwhile", "after"]
        await connected(inlet)
        await server.until(lambda: not server.device(OURS).queue)  # all of it has its receipt
        assert (server.logins, server.retries, server.errors) == (logins + 1, 0, [])


@pytest.mark.parametrize("kind", ["server-error", "of next year"])
async def test_a_receipt_that_the_library_can_not_read_costs_seconds_and_no_message(tmp_path: Path, kind: str) -> None:
    """It ends the library's loop of events, and its connection would go on acknowledging what nobody hears."""
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server = here.fake.server
        await here.world.receipt(ANA, "3EB0AA", kind)
        await server.until(lambda: not server.connected(OURS))
        for number in range(5):
            await here.world.text(ANA, f"line {number}")
        await inlet.until(lambda: "could not read" in inlet.states[-1].message)
        here.clock.shift(SOON)
        await inlet.until(lambda: len(inlet.texts) == 5)
        assert inlet.texts == [f"line {number}" for number in range(5)]
        await connected(inlet)
        assert server.errors == []


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds, in place of 10, for a first connection that does not come up."""
    monkeypatch.setattr(pairing, "SETTLE", 2.0)


async def test_a_dial_that_gets_no_answer_is_ended_by_the_watchdog(tmp_path: Path) -> None:
    """The library dials again over the connection on which it was turned away, where nobody answers any more."""
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, before = here.fake.server, engine_pid()
        server.turned_away = 1
        await server.cut(OURS)
        while server.turned_away:
            await trio.sleep(0.05)
        await trio.sleep(4)  # it dials again after 2 s
        await here.world.text(ANA, "meanwhile")
        inlet.states.clear()
        with trio.fail_after(60):
            while "meanwhile" not in inlet.texts:
                here.clock.shift(2)
                await trio.sleep(0.1)
        assert engine_pid() != before
        assert server.errors == []


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("farewell", [True, False], ids=["told to come again", "without a word"])
async def test_a_number_comes_up_when_its_connection_is_closed_right_after_the_scan(
    tmp_path: Path, *, farewell: bool
) -> None:
    """The library dials no more when it missed the 515; now and then it sees it, so one case never sends it."""
    async with site(tmp_path) as here, here.listening() as inlet:
        server = here.fake.server
        server.linger, server.farewell = 0.0, farewell
        await here.link(inlet)
        assert (inlet.phone, len(server.devices)) == (OURS, 1)
        await here.world.text(ANA, "hello")
        await inlet.until(lambda: inlet.texts == ["hello"])
        assert server.errors == []


@pytest.mark.usefixtures("soon")
async def test_a_number_whose_first_dial_after_the_scan_fails_is_dialled_again(tmp_path: Path) -> None:
    """By us: the library gives up then."""
    async with site(tmp_path) as here, here.listening() as inlet:
        server = here.fake.server
        await inlet.until(lambda: bool(inlet.states) and inlet.states[-1].qr is not None)
        server.linger, server.farewell, server.turned_away = 0.0, False, 1
        code = inlet.states[-1].qr
        assert code is not None
        await server.scan(code, OURS)
        await inlet.until(lambda: "can't be reached" in inlet.states[-1].message)
        assert (inlet.states[-1].status, server.turned_away, server.logins) == (SessionStatus.CONNECTING, 0, 0)
        passed = 0
        with trio.fail_after(60):
            while inlet.states[-1].status != SessionStatus.SESSION_CONNECTED:
                here.clock.shift(1)
                passed += 1
                await trio.sleep(0.1)
        assert passed >= WATCHDOG * 0.7  # the rest is real time
