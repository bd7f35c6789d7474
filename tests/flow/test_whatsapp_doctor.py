"""What the doctor says of a linked number: clocks, and what WhatsApp refuses; through the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whatsapp_site import ANA, OURS, Site, send, site
from wagate.hooks import Finding
from wagate_whatsapp.versions import UPDATE


async def looked(here: Site, what: str) -> list[Finding]:
    """Findings about one thing."""
    assert here.provider.check is not None
    return [each for each in await here.provider.check(here.account) if each.what == what]


async def test_a_clock_that_is_ahead_or_behind_is_told(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        await here.world.text(ANA, "hello")
        await send(here, text="hi")
        await inlet.until(lambda: inlet.texts == ["hello"])
        assert await looked(here, "clock") == []
        here.clock.step(120)
        await send(here, text="from the future")
        [found] = await looked(here, "clock")
        assert (found.level, found.next_step) == ("warn", "switch on NTP")
        assert "s ahead of WhatsApp's" in found.detail
        await here.world.text(ANA, "in the past")  # it looks late, which says nothing
        await inlet.until(lambda: inlet.texts[-1] == "in the past")
        assert "s ahead of WhatsApp's" in (await looked(here, "clock"))[0].detail
        here.clock.step(-240)
        await here.world.text(ANA, "before")
        await inlet.until(lambda: inlet.texts[-1] == "before")
        [found] = await looked(here, "clock")
        assert "s behind WhatsApp's" in found.detail
        here.clock.step(120)
        await here.world.text(ANA, "now")
        await inlet.until(lambda: inlet.texts[-1] == "now")
        assert await looked(here, "clock") == []


@pytest.mark.parametrize(
    ("attrs", "words", "step"),
    [
        ({"reason": "405"}, "WhatsApp refuses this version of the engine (405)", UPDATE),
        ({"reason": "402", "code": "101", "expire": "3600"}, "it wrote to too many people who don't", "write less"),
    ],
    ids=["405", "402"],
)
async def test_what_whatsapp_refuses_is_told_with_what_helps(
    tmp_path: Path, attrs: dict[str, str], words: str, step: str
) -> None:
    async with site(tmp_path) as here, here.listening() as inlet:
        await here.link(inlet)
        [found] = await looked(here, "session")
        assert found.level == "ok"
        here.fake.server.refuse(**attrs)
        await here.fake.server.cut(OURS)
        await inlet.until(lambda: words in inlet.states[-1].message)
        [found] = await looked(here, "session")
        assert (found.level, words in found.detail) == ("fail", True)
        assert step in (found.next_step or "")
