"""Logins that WhatsApp refuses: what each is called, and whether it is tried again; through the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.whatsapp_site import OURS, Site, connected, send, site
from wagate.errors import AccountStoppedError
from wagate.events import SessionStatus
from wagate.testing import FakeInlet
from wagate_whatsapp.reasons import LONG

LATER = 24 * 3600.0
STEP = 200.0


async def refused(here: Site, inlet: FakeInlet, words: str, **attrs: str) -> SessionStatus:
    """The next login is; the state that says so."""
    inlet.states.clear()
    here.fake.server.refuse(**attrs)
    await here.fake.server.cut(OURS)
    await inlet.until(lambda: any(words in each.message for each in inlet.states))
    return next(each.status for each in inlet.states if words in each.message)


@pytest.mark.parametrize("reason", ["500", "503"])
async def test_what_ails_whatsapp_itself_is_told_and_tried_again_at_once(tmp_path: Path, reason: str) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        words = f"WhatsApp can't take this number right now (error {reason}); trying again"
        assert await refused(here, inlet, words, reason=reason) == SessionStatus.CONNECTING
        await connected(inlet)
        assert [each.message for each in inlet.states].index(words) == len(inlet.states) - 2  # not "lost" once more


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"reason": "405"}, "WhatsApp refuses this version of the engine (405); update it"),
        ({"reason": "402", "code": "101", "expire": "60"}, "it wrote to too many people who don't know it"),
    ],
    ids=["405", "402"],
)
async def test_what_takes_time_is_tried_again_after_an_hour(tmp_path: Path, attrs: dict[str, str], words: str) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        assert await refused(here, inlet, words, **attrs) == SessionStatus.ERROR
        passed = 0.0
        with trio.fail_after(60):
            while inlet.states[-1].status != SessionStatus.SESSION_CONNECTED:
                if passed < 2 * LONG:  # then it has what real time it needs to come up
                    here.clock.shift(STEP)
                    passed += STEP
                await trio.sleep(0.02)
        assert passed >= LONG - STEP


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("401", "Logged out on the phone; start the session and scan the QR code again"),
        ("403", "Logged out: the number is no longer registered on its phone, or WhatsApp banned it"),
    ],
)
async def test_what_ends_the_link_is_not_tried_again_until_somebody_starts_it(
    tmp_path: Path, reason: str, words: str
) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        server, logins = here.fake.server, here.fake.server.logins
        assert await refused(here, inlet, words, reason=reason) == SessionStatus.AUTH_FAILURE
        here.clock.shift(LATER)
        with pytest.raises(AccountStoppedError):
            await send(here, text="not now")
        assert inlet.states[-1].message == words
        inlet.states.clear()
        assert here.provider.control is not None
        await here.provider.control("start", here.account)
        await here.link(inlet)  # the keys are gone: it takes a scan
        assert server.logins == logins + 2  # the one after the scan, and the engine's
        assert server.errors == []
