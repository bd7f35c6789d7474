"""Every page in a real browser: light, dark, on a phone, without scripts. No rule of accessibility is broken."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.browsing import Site, made_link, sign_in, without_complaints
from wagate.storage.database import FILE

pytest_plugins = ("tests.browser.browsing",)

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RULES = {"runOnly": {"type": "tag", "values": TAGS}}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""What alone depends on the theme."""
AXE = """async (options) => (await axe.run(
    document, {...options, resultTypes: ["violations"], selectors: false})).violations.map(
    (rule) => `${rule.id}: ${rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`)"""
"""Only what is broken is described, and by its HTML: that saves a fifth."""
REFUSED = "01980000-0000-7000-8000-000000000002"
"""An act on all, of which one delivery was refused."""
PAGES = (
    "",
    "?client=default",
    "numbers",
    "numbers/front-desk",
    "numbers/front-desk/first",
    "numbers/front-desk/settings",
    "add",
    "add/meta",
    "add/infobip?s.hmac_algorithm=md5",
    "receivers",
    "receivers/{Stock sync}",
    "receivers/{Stock sync}?chats=oldest",
    "receivers/{Customer care}?range=1h",
    "receivers/{Order bot}?range=1h",
    "webhooks",
    "webhooks/new",
    "webhooks/{Stock sync}",
    "conversations",
    "conversations/{chat}",
    "messages",
    "messages/{message}",
    "clients",
    "clients/default",
    "deliveries",
    "deliveries?state=failed&error=nothing+like+it",
    "deliveries/{failed}",
    "deliveries/{pending}",
    "deliveries/bulk?state=failed&do=cancel-all",
    "deliveries/bulk?state=failed&do=retry-all",
    "bulk",
    f"bulk/{REFUSED}",
    "doctor",
    "audit",
    "system",
    "more",
    "plugins/n8n",
    "signin?next=/ui/deliveries",
    "nowhere",
)
"""Below ``/ui/``. In braces: a receiver by its name, the newest delivery in that state, or its chat, or its message."""


def axe_core() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def path_of(site: Site, page: str) -> str:
    """With real ids."""
    before, found, rest = page.partition("{")
    name, _, after = rest.partition("}")
    if not found:
        return page
    if name in site.scene.targets:
        return f"{before}{site.scene.targets[name]}{after}".replace("webhooks/webhook:", "webhooks/")
    if name in {"chat", "message"}:
        newest = site.run(site.scene.newest)
        return before + (f"{newest['account']}/{newest['chat']}" if name == "chat" else newest["event_id"])
    return f"{before}{site.run(site.scene.jobs, f'?state={name}')[0]}{after}"


def test_the_rules_catch_an_offender(page: Page) -> None:
    page.set_content("<main><h1>A picture</h1><img src='data:,'></main>")
    page.evaluate(axe_core())
    (broken,) = page.evaluate(AXE, {"runOnly": {"type": "rule", "values": ["image-alt"]}})
    assert broken.startswith("image-alt: <img")


@pytest.fixture(scope="module", autouse=True)
def trouble(site: Site) -> None:
    """What only other things than messages bring about: a number whose webhooks are refused, and what an act was."""
    at = "2026-01-01T00:00:00.000000Z"
    failed = site.run(site.scene.jobs, "?state=failed")[0]
    with closing(sqlite3.connect(site.scene.gateway.folder / "data" / FILE, timeout=30)) as db, db:
        db.execute(
            "INSERT INTO refusals SELECT id, 'signature', 4, 9, 'the signature is wrong', ?, ? FROM accounts "
            "WHERE name = 'front-desk'",
            (at, at),
        )
        db.execute(
            "INSERT INTO bulk (id, who, verb, which, until, after, state, done, refused, total, reasons, holder, "
            "held_until, created_at, updated_at) VALUES (?, 'admin', 'retry', '{}', '', '', 'done', 3, 1, 4, "
            "'{\"gone\": 1}', '', NULL, ?, ?)",
            (REFUSED, at, at),
        )
        db.execute("INSERT INTO bulk_refused (bulk_id, delivery_id, reason) VALUES (?, ?, 'gone')", (REFUSED, failed))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_breaks_no_rule_in_light_dark_and_on_a_phone(site: Site, tab: Page, name: str) -> None:
    with without_complaints(tab):
        breaks_no_rule(tab, site.url + path_of(site, name))


def test_the_pages_show_what_they_are_here_for(site: Site, tab: Page) -> None:
    for name, shown in (
        ("numbers/front-desk", "Its webhooks are refused"),
        (f"bulk/{REFUSED}", "1 refused"),
        ("receivers/{Stock sync}?chats=oldest", "Waiting by chat"),
        ("?client=default", "You see only what belongs to default"),
    ):
        tab.goto(site.url + path_of(site, name))
        expect(tab.locator("main")).to_contain_text(shown)


def test_the_question_before_giving_up_what_was_picked_breaks_no_rule(site: Site, tab: Page) -> None:
    with without_complaints(tab):
        tab.goto(f"{site.url}deliveries?state=pending")
        tab.locator("tbody [name=id]").first.check()
        tab.get_by_role("button", name="Give up selected").click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Give up one delivery?")
        breaks_no_rule(tab)


@pytest.mark.parametrize("sees", ["state", "deliveries"])
def test_pages_of_a_link_that_shows_less_break_no_rule(chromium: Browser, site: Site, tab: Page, sees: str) -> None:
    tab.goto(f"{site.url}clients/default")
    tab.get_by_label("What it shows").select_option(sees)
    link = made_link(tab)
    context = chromium.new_context()
    guest = context.new_page()
    with without_complaints(guest):
        guest.goto(link)
        guest.get_by_role("button", name="Open it").click()
        expect(guest).to_have_url(site.url)
        pages = [
            "",
            "numbers/front-desk",
            "receivers/{Stock sync}",
            "deliveries",
            "deliveries/{failed}",
            "messages/{message}",
        ]
        for name in pages if sees == "deliveries" else pages[:4]:  # the last of them is refused
            breaks_no_rule(guest, site.url + path_of(site, name))
    context.close()


def breaks_no_rule(page: Page, url: str = "") -> None:
    """The page there, or the one that is open."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    if url:
        page.goto(url)
    page.evaluate(axe_core())
    assert page.evaluate(AXE, RULES) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(AXE, CONTRAST) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(AXE, RULES) == []
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_rows_of_deliveries_are_even_on_a_phone(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site.url + "deliveries")
    places = page.evaluate(
        """() => [...document.querySelectorAll("tbody tr")].map((row) => [".st", "time", "th", "a"].map((part) => {
            const [box, from] = [row.querySelector(part).getBoundingClientRect(), row.getBoundingClientRect()];
            const side = part === "time" ? from.right - box.right : box.left - from.left;
            return [Math.round(side), Math.round(box.top - from.top)];
        }))"""
    )
    assert len(places) > 8
    first, *others = places[1:]  # the first has no line above it
    assert all(each == first for each in others), places


def test_the_code_to_scan_is_as_large_as_its_box(site: Site, page: Page) -> None:
    page.goto(site.url + "numbers")
    page.evaluate(
        "main.innerHTML = `<div class='qr'><img alt='' src='${document.querySelector('[rel=icon]').href}'></div>`"
    )
    size = page.locator(".qr img").bounding_box()
    assert size is not None
    assert size["width"] >= 240  # 16 rem, and a margin around it


def test_the_count_to_type_stands_in_its_sentence(site: Site, page: Page) -> None:
    page.goto(site.url + "deliveries/bulk?state=failed&do=cancel-all")
    asked = page.get_by_text("to confirm").bounding_box()
    assert asked is not None
    assert asked["height"] < 30


def test_every_page_says_the_same_without_scripts(chromium: Browser, site: Site, signed_in: BrowserContext) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies(
        [{"name": each["name"], "value": each["value"], "url": site.url} for each in signed_in.cookies()]
    )
    bare = context.new_page()
    for name in PAGES:
        bare.goto(site.url + path_of(site, name))
        expect(bare.locator("h1")).to_have_count(1)
    context.close()


def test_without_scripts_a_number_is_added_and_a_mistake_loses_nothing(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    sign_in(context, site)
    bare = context.new_page()
    bare.goto(f"{site.url}numbers")
    bare.get_by_role("link", name="Add a number", exact=True).click()
    bare.get_by_role("link", name="Add a number through Meta Cloud API").click()
    bare.locator("[name=name]").fill("storefront")
    bare.get_by_label("Access token").fill("EAAG-a-long-token")
    bare.get_by_label("Phone number ID").fill("the number")
    bare.get_by_role("button", name="Add it").click()
    expect(bare.get_by_label("Phone number ID")).to_have_attribute("aria-invalid", "true")
    expect(bare.get_by_label("Phone number ID")).to_have_value("the number")
    bare.get_by_label("Phone number ID").fill("106540352242922")
    bare.get_by_role("button", name="Add it").click()
    expect(bare.get_by_role("heading", level=1)).to_have_text("storefront is added. Now set up the provider")
    expect(bare.get_by_text("/webhooks/storefront")).to_be_visible()
    context.close()


def test_without_scripts_one_signs_in_filters_and_acts(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False)
    sign_in(context, site)
    bare = context.new_page()
    bare.goto(f"{site.url}deliveries")
    bare.get_by_label("Receiver").select_option("Customer care")
    bare.get_by_role("button", name="Filter").click()
    expect(bare.locator("tbody tr")).to_have_count(4)
    bare.goto(site.url + site.scene.page("Order bot"))
    bare.get_by_role("button", name="Pause Order bot").click()
    expect(bare.get_by_role("status")).to_contain_text("Paused.")
    bare.get_by_role("button", name="Resume Order bot").click()
    expect(bare.get_by_role("status")).to_contain_text("Resumed.")
    context.close()


def test_without_scripts_an_id_is_found_given_up_and_all_that_match_are_retried(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False)
    sign_in(context, site)
    bare = context.new_page()
    site.run(site.scene.post, "for nobody")
    waits = site.run(site.scene.jobs, "?state=pending")[0]
    bare.goto(site.url)
    bare.get_by_label("Search by id").fill(waits)
    bare.get_by_label("Search by id").press("Enter")
    expect(bare).to_have_url(f"{site.url}deliveries/{waits}")
    bare.locator("noscript, main").get_by_label("Why").last.fill("no scripts here")
    bare.get_by_role("button", name="Give up", exact=True).last.click()
    expect(bare.get_by_role("heading", level=1)).to_have_text("Cancelled")
    bare.goto(f"{site.url}deliveries?state=failed")
    bare.get_by_role("link", name="Retry all").click()
    bare.get_by_role("button", name="Retry").click()
    expect(bare.get_by_role("heading", level=1)).to_contain_text("Retry all:")
    context.close()
