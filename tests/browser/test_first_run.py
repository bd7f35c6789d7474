"""From the sign-in to the outcome of a test in three clicks, in a real browser, with a fake of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import Site, a_site, without_complaints
from tests.browser.scene import Scene
from tests.browser.test_pages import breaks_no_rule
from tests.flow.dashboard_engine import FakeEngine
from tests.gateway import TOKEN
from tests.inprocess import running_gateway
from tests.sink import https_sink
from wagate.events import SessionStatus

pytest_plugins = ("tests.browser.browsing", "tests.flow.dashboard_engine")


@asynccontextmanager
async def nothing_yet() -> AsyncIterator[Scene]:
    """A gateway without a number, and somebody who could receive."""
    tables = {"delivery": {"allow_networks": ["127.0.0.0/8"]}}
    async with https_sink() as sink, running_gateway(tables, ca_file=sink.ca_file) as gateway:
        yield Scene(gateway, sink, {}, {})


@pytest.fixture
def new(engine: FakeEngine) -> Iterator[Site]:
    with a_site(nothing_yet) as made:
        yield made


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_three_clicks_lead_from_the_sign_in_to_the_outcome_of_a_test(
    chromium: Browser, new: Site, engine: FakeEngine, *, scripts: bool
) -> None:
    context = chromium.new_context(java_script_enabled=scripts, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    with without_complaints(page):
        page.goto(new.url)
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Show the QR code").click()  # one
        expect(page).to_have_url(f"{new.url}numbers/phone-1/first")
        come(page, "#scan-h", "Scan this code", scripts=scripts)
        expect(page.get_by_alt_text("QR code")).to_be_visible()
        expect(page.get_by_role("button", name="Show a new code")).to_have_count(0)
        field = page.get_by_label("URL of your webhook")
        field.fill(new.scene.sink.url)  # before the scan: nothing that comes takes it away
        new.run(engine.scan)
        come(page, "#scan-h", "Connected as +12025550142", scripts=scripts)
        expect(page.locator("#scan")).to_contain_text("Write to it from another phone.")
        new.run(engine.hears, "Is my order on its way?")
        come(page, "#first", "Ana Souza wrote: Is my order on its way?", scripts=scripts)
        if scripts:
            expect(field).to_have_value(new.scene.sink.url)
        field.fill(new.scene.sink.url)
        page.get_by_role("button", name="Send it somewhere").click()  # two
        expect(page.get_by_text("shown only once")).to_be_visible()
        page.get_by_role("button", name="Send a test").click()  # three
        expect(page.get_by_role("status").filter(has_text="It accepted the test (200)")).to_be_visible()
        assert any(b"webhook.test" in got.body for got in new.scene.sink.got)
        if scripts:
            breaks_no_rule(page, page.url)
    context.close()


def test_who_did_not_scan_in_time_gets_a_new_code_by_one_button(
    chromium: Browser, new: Site, engine: FakeEngine
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    with without_complaints(page):
        page.goto(new.url)
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Show the QR code").click()
        expect(page.locator("#scan-h")).to_have_text("Scan this code")
        new.run(engine.tells, SessionStatus.SESSION_NOT_CONNECTED, "Nobody scanned a QR code for 10 minutes")
        expect(page.locator("#scan")).to_contain_text("Nobody scanned a QR code for 10 minutes.")
        button = page.get_by_role("button", name="Show a new code")
        button.click()
        expect(page.get_by_role("status").first).to_contain_text("Requested.")
        expect(page).to_have_url(f"{new.url}numbers/phone-1/first?said=acted")
        assert engine.asked == ["restart phone-1"]
        new.run(engine.tells, SessionStatus.ERROR, "The engine can't be used: it is too old")
        expect(page.locator("#scan-h")).to_have_text("It failed")
        expect(page.locator("#scan")).to_contain_text("The engine can't be used: it is too old.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
    context.close()


def come(page: Page, where: str, text: str, *, scripts: bool) -> None:
    """Wait for it; without scripts by loading the page again."""
    while not scripts and text not in page.locator(where).inner_text():
        page.wait_for_timeout(200)
        page.reload()
    expect(page.locator(where)).to_contain_text(text)
