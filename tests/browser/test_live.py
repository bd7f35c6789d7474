"""Figures and states change while somebody works on the page, and nothing that they do is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import Site, sign_in, without_complaints
from tests.browser.test_pages import AXE, CONTRAST, RULES, axe_core

pytest_plugins = ("tests.browser.browsing",)

RECORD = """window.streams = []; const Real = EventSource;
window.EventSource = class extends Real { constructor(url) { super(url); window.streams.push(this) } }"""
"""Remembers every stream that the page opens."""
HIDE = """(hidden) => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
document.dispatchEvent(new Event("visibilitychange")) }"""


@pytest.fixture
def page(new_page: Page) -> Page:
    """Whose pages have other streams."""
    return new_page


@pytest.fixture
def watching(page: Page) -> Iterator[Page]:
    page.add_init_script(RECORD)
    yield page
    assert page.evaluate("streams.filter((each) => each.readyState !== EventSource.CLOSED).length") <= 1


def live(page: Page, site: Site, path: str) -> None:
    """Open a page and wait until its stream runs."""
    page.goto(site.url + path)
    until(page, "streams.at(-1)?.readyState === EventSource.OPEN")


def until(page: Page, true: str) -> None:
    """Wait. The pages' policy forbids Playwright's own way, which evaluates a text in the page."""
    while not page.evaluate(true):
        page.wait_for_timeout(50)


def test_a_box_a_field_and_the_focus_survive_while_the_list_changes(site: Site, watching: Page) -> None:
    live(watching, site, "deliveries?state=failed")
    row = watching.locator("tbody tr").nth(1)
    row.get_by_role("checkbox").check()
    field = watching.get_by_label("Error", exact=True)
    field.type("time")
    ids = watching.locator("tbody [name=id]").evaluate_all("(all) => all.map((each) => each.value)")
    site.scene.answers["/crm"] = 200
    site.run(site.scene.retry, ids[0])
    state = watching.locator("tbody tr").first.locator(".st")
    expect(state).to_have_text("Delivered")
    site.scene.answers["/crm"] = 400
    site.run(site.scene.post, "one more")
    expect(watching.locator("#more")).to_have_text("1 newer delivery. Show it")
    field.type("out")
    expect(field).to_have_value("timeout")
    expect(field).to_be_focused()
    expect(row.get_by_role("checkbox")).to_be_checked()
    assert watching.locator("tbody [name=id]").evaluate_all("(all) => all.map((each) => each.value)") == ids
    watching.get_by_role("link", name="1 newer delivery").click()
    expect(watching.locator("tbody tr").first).to_contain_text("one more")
    expect(watching.locator("tbody [name=id]").first).to_be_focused()


STAND_IN = """window.EventSource = class extends EventTarget { static CLOSED = 2; readyState = 1; close() {}
    constructor() { super(); window.stream = this } };
window.patch = (...leaves) => stream.dispatchEvent(new MessageEvent("patch", {data: leaves.join("")}));
window.hear = () => new MutationObserver(() => { window.heard = (window.heard ?? 0) + 1 }).observe(
    document.querySelector("[data-told]"), {childList: true, characterData: true, subtree: true})"""
"""A stream that the test speaks for, and a count of what is read aloud."""


@pytest.mark.parametrize("path", ["deliveries", ""])
def test_what_is_newer_is_read_aloud_at_most_each_half_minute_and_figures_never(
    site: Site, page: Page, path: str
) -> None:
    page.clock.install(time=datetime(2026, 1, 1, tzinfo=UTC))
    page.add_init_script(STAND_IN)
    page.goto(site.url + path)
    page.clock.pause_at(datetime(2026, 1, 2, tzinfo=UTC))
    assert page.locator("main").get_by_role("status").count() == 0
    assert page.evaluate("[...document.querySelectorAll('[aria-live]')].map((each) => each.outerHTML)") == [
        '<p class="vh" aria-live="polite" data-told=""></p>'
    ]
    page.evaluate("hear()")
    for count in range(1, 15):
        page.evaluate(f"patch('<span id=more>{count} newer</span>', '<span id=f-in>{count}</span>')")
    told = page.locator("[data-told]")
    assert (page.evaluate("heard"), told.text_content()) == (1, "1 newer")
    assert page.locator("#more").text_content() == "14 newer"
    page.clock.run_for(29_000)
    assert page.evaluate("heard") == 1
    page.clock.run_for(2_000)
    assert (page.evaluate("heard"), told.text_content()) == (2, "14 newer")
    page.clock.run_for(60_000)
    assert page.evaluate("heard") == 2, "what was said once is not said again"


def test_figures_of_the_overview_and_of_a_receiver_change(site: Site, watching: Page) -> None:
    live(watching, site, "")
    before = watching.locator("#f-waiting").inner_text()
    site.run(site.scene.post, "for everybody")
    expect(watching.locator("#f-waiting")).not_to_have_text(before)
    live(watching, site, site.scene.page("Order bot"))
    state = watching.locator("main .st").first
    expect(state).to_have_text("Up")
    site.run(site.scene.act, "Order bot", "pause")
    expect(state).to_have_text("Paused")
    site.run(site.scene.act, "Order bot", "resume")
    expect(state).to_have_text("Up")


def test_the_tab_counts_what_needs_somebody(site: Site, watching: Page) -> None:
    live(watching, site, "")
    expect(watching).to_have_title(re.compile(r"^\(\d+\) Overview · wagate$"))
    title = watching.title()
    count = int(title[1 : title.index(")")])
    site.run(site.scene.act, "Stock sync", "pause")  # a pause is nobody's trouble
    fewer = f"({count - 1}) " if count > 1 else ""
    expect(watching).to_have_title(f"{fewer}Overview · wagate")
    site.run(site.scene.act, "Stock sync", "resume")
    expect(watching).to_have_title(title)


def test_live_is_paused_by_button_and_by_key(site: Site, watching: Page) -> None:
    live(watching, site, "receivers")
    button = watching.locator("[data-live]")
    button.click()
    expect(button).to_have_text("Paused")
    assert watching.evaluate("streams.at(-1).readyState") == 2
    site.run(site.scene.act, "Order bot", "pause")
    state = watching.get_by_role("row", name="Order bot").locator(".st")
    expect(state).to_have_text("Up")
    watching.keyboard.press("p")
    expect(state).to_have_text("Paused")
    expect(button).to_have_text("Live")
    site.run(site.scene.act, "Order bot", "resume")


def test_the_stream_is_closed_while_the_tab_is_hidden(site: Site, watching: Page) -> None:
    live(watching, site, "")
    watching.evaluate(HIDE, True)
    assert watching.evaluate("streams.at(-1).readyState") == 2
    watching.evaluate(HIDE, False)
    until(watching, "streams.length === 2 && streams[1].readyState === EventSource.OPEN")


def test_the_code_to_scan_is_pushed_and_goes_when_it_was_scanned_or_lapsed(site: Site, watching: Page) -> None:
    site.run(site.scene.shows_a_code, "2@FIRST")
    live(watching, site, "numbers/front-desk")
    code = watching.get_by_alt_text("QR code")
    first = code.get_attribute("src")
    site.run(site.scene.shows_a_code, "2@SECOND")
    expect(code).not_to_have_attribute("src", first or "")
    site.run(site.scene.gateway.passes, 61)
    expect(code).to_have_count(0)
    site.run(site.scene.shows_a_code, "2@THIRD")
    expect(code).to_have_count(1)
    site.run(site.scene.tells, "ready")
    expect(watching.locator("#scan .st")).to_have_text("Connected")
    expect(watching.locator(".head .st")).to_have_text("Connected")
    expect(code).to_have_count(0)


@pytest.mark.parametrize(("language", "connected"), [("pt-BR", "Conectado"), ("en-US", "Connected")])
def test_who_holds_the_phone_sees_each_code_and_that_it_worked(
    chromium: Browser, site: Site, page: Page, language: str, connected: str
) -> None:
    site.run(site.scene.shows_a_code, f"2@ONE{language}")
    page.goto(f"{site.url}numbers/front-desk")
    page.get_by_label("For whom").fill(f"Ana {language}")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("[data-copy*='/ui/scan?k=']").get_attribute("data-copy")
    assert link is not None
    context = chromium.new_context(locale=language, viewport={"width": 320, "height": 640})
    phone = context.new_page()
    with without_complaints(phone):
        phone.goto(link)
        code = phone.locator(".qr img")
        first = code.get_attribute("src")
        phone.evaluate(axe_core())
        for scheme, rules in (("light", RULES), ("dark", CONTRAST)):
            phone.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of two
            assert phone.evaluate(AXE, rules) == []
        assert phone.evaluate("document.documentElement.scrollWidth") <= 320
        site.run(site.scene.shows_a_code, f"2@TWO{language}")
        expect(code).not_to_have_attribute("src", first or "")
        site.run(site.scene.tells, "ready")
        expect(phone.get_by_role("heading", level=2)).to_have_text(connected)
        expect(code).to_have_count(0)
        site.run(site.scene.shows_a_code, f"2@THREE{language}")
        expect(code).to_have_count(1)
        page.goto(f"{site.url}numbers/front-desk")
        page.get_by_role("button", name=f"Revoke Ana {language}").click()
        expect(code).to_have_count(0)
    bare = chromium.new_context(java_script_enabled=False, locale=language)
    gone = bare.new_page()
    gone.goto(link)
    expect(gone.locator("h1")).to_have_count(1)
    bare.close()
    context.close()


def test_the_stream_ends_with_the_sign_in(chromium: Browser, site: Site) -> None:
    context = chromium.new_context()
    sign_in(context, site)
    page, other = context.new_page(), context.new_page()
    page.goto(site.url)
    expect(page.locator("[data-live]")).to_have_text("Live")
    other.goto(f"{site.url}more")
    other.locator("main").get_by_role("button", name="Sign out").click()
    expect(other).to_have_url(re.compile("/ui/signin"))
    expect(page.locator("[data-live]")).to_have_text("Signed out")
    context.close()
