"""Keys of the dashboard: each does what it is listed for; none works in a field, or when they are switched off."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import Site, sign_in, without_complaints
from tests.browser.test_pages import AXE, CONTRAST, RULES, axe_core

pytest_plugins = ("tests.browser.browsing",)


@pytest.fixture(scope="module")
def tab(chromium: Browser, site: Site) -> Iterator[Page]:
    """One tab in a browser of its own: what it keeps is nobody else's."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    sign_in(context, site)
    tab = context.new_page()
    with without_complaints(tab):
        yield tab
    context.close()


def press(page: Page, keys: str) -> None:
    """One after another."""
    for key in keys.split():
        page.keyboard.press(key)


def test_a_question_mark_lists_the_keys_and_escape_closes_the_list(site: Site, tab: Page) -> None:
    tab.goto(f"{site.url}deliveries")
    press(tab, "?")
    listed = tab.get_by_role("dialog", name="Keys")
    expect(listed).to_be_visible()
    said = [" ".join(each.split()) for each in listed.locator("dt").all_inner_texts()]
    assert said == ["?", "/", *(f"g {to}" for to in "ondcw"), "j", "k", "x", "Enter", "r", "p", "t", "Esc"]
    tab.evaluate(axe_core())
    for scheme, rules in (("light", RULES), ("dark", CONTRAST)):
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of two
        assert tab.evaluate(AXE, rules) == []
    press(tab, "g n")  # a page behind a dialog stays as it is
    press(tab, "Escape")
    expect(listed).to_be_hidden()
    expect(tab).to_have_url(f"{site.url}deliveries")


@pytest.mark.parametrize(
    ("keys", "path"),
    [("g n", "numbers"), ("g d", "deliveries"), ("g c", "conversations"), ("g w", "webhooks"), ("g o", "")],
)
def test_two_keys_lead_to_a_page(site: Site, tab: Page, keys: str, path: str) -> None:
    tab.goto(f"{site.url}more")
    press(tab, keys)
    expect(tab).to_have_url(f"{site.url}{path}")


def test_a_letter_alone_leads_nowhere(site: Site, tab: Page) -> None:
    tab.goto(f"{site.url}more")
    press(tab, "n g x n")
    expect(tab).to_have_url(f"{site.url}more")


def test_rows_without_boxes_are_walked_through_and_opened(site: Site, tab: Page) -> None:
    tab.goto(f"{site.url}receivers")
    rows = tab.locator("tbody tr th a")
    press(tab, "j j k")
    expect(rows.first).to_be_focused()
    press(tab, "k j j")  # above the first there is nothing
    expect(rows.nth(2)).to_be_focused()
    press(tab, "Enter")
    expect(tab).to_have_url(re.compile(r"/ui/receivers/\w+:"))
    tab.goto(f"{site.url}conversations")
    press(tab, "j j")
    expect(tab.locator(".chats a").nth(1)).to_be_focused()
    tab.goto(site.url)
    press(tab, "j")
    expect(tab.locator(".need li a").first).to_be_focused()


def test_a_delivery_is_retried_on_its_page_and_in_the_list(site: Site, tab: Page) -> None:
    tab.goto(f"{site.url}deliveries?state=failed")
    press(tab, "r")  # neither a row nor a pick: nothing
    press(tab, "j r")
    expect(tab.get_by_role("status")).to_have_text("1 delivery. It will be sent again.")
    (failed, *_) = site.run(site.scene.jobs, "?state=failed")
    tab.goto(f"{site.url}deliveries/{failed}")
    press(tab, "r")
    expect(tab.get_by_role("status")).to_have_text("It will be sent again.")


def test_a_receiver_that_is_down_is_tried(site: Site, tab: Page) -> None:
    site.run(site.scene.stands, "Stock sync", "down")
    tab.goto(site.url + site.scene.page("Stock sync"))
    press(tab, "r")
    expect(tab.get_by_role("status")).to_contain_text("still accepts nothing")


def test_the_theme_and_the_live_figures_have_a_key(site: Site, tab: Page) -> None:
    tab.goto(site.url)
    expect(tab.locator("[data-live]")).to_have_text("Live")
    press(tab, "p")
    expect(tab.locator("[data-live]")).to_have_text("Paused")
    press(tab, "t")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")


def test_keys_are_text_in_a_field_and_nothing_with_a_modifier(site: Site, tab: Page) -> None:
    tab.goto(f"{site.url}deliveries")
    press(tab, "/")
    tab.keyboard.type("?gntrxjp/")
    expect(tab.get_by_label("Search by id")).to_have_value("?gntrxjp/")
    tab.get_by_label("Receiver").focus()
    press(tab, "g n ?")
    tab.get_by_label("Receiver").blur()
    press(tab, "Alt+t Control+? g Control+n")
    expect(tab.get_by_role("dialog", name="Keys")).to_be_hidden()
    expect(tab).to_have_url(f"{site.url}deliveries")


def test_keys_are_switched_off_for_this_browser_and_on_again(site: Site, tab: Page) -> None:
    tab.goto(f"{site.url}deliveries")
    press(tab, "?")
    tab.get_by_label("Use these keys").uncheck()
    for _ in range(2):  # and still after a page
        press(tab, "Escape ? g n j x / t")
        expect(tab.get_by_role("dialog", name="Keys")).to_be_hidden()
        expect(tab.locator("tbody :checked")).to_have_count(0)
        expect(tab.get_by_label("Search by id")).not_to_be_focused()
        expect(tab).to_have_url(f"{site.url}deliveries")
        tab.reload()
    tab.get_by_role("button", name="Keys").click()
    tab.get_by_label("Use these keys").check()
    tab.get_by_role("button", name="Close").click()
    press(tab, "g n")
    expect(tab).to_have_url(f"{site.url}numbers")


def test_without_scripts_there_is_no_button_that_does_nothing(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False)
    sign_in(context, site)
    bare = context.new_page()
    bare.goto(site.url)
    expect(bare.get_by_role("button", name="Keys")).to_be_hidden()
    expect(bare.locator("[data-live]")).to_be_hidden()
    context.close()
