"""Pages that a link opens, in a real browser: for who has the phone, for who has no token, for who reads mail."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.browsing import Site, made_link, without_complaints
from tests.browser.test_pages import AXE, CONTRAST, RULES, axe_core

pytest_plugins = ("tests.browser.browsing",)


def breaks_no_rule(page: Page) -> None:
    page.evaluate(axe_core())
    for scheme, rules in (("light", RULES), ("dark", CONTRAST)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of two
        assert page.evaluate(AXE, rules) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_clients_link_is_opened_on_a_phone_and_pressed_again(chromium: Browser, site: Site, page: Page) -> None:
    link = made_link(page, f"{site.url}clients/default")
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    phone = context.new_page()
    with without_complaints(phone):
        phone.goto(link)
        expect(phone.get_by_role("heading", level=1)).to_have_text("The dashboard of default")
        breaks_no_rule(phone)
        phone.get_by_role("button", name="Open it").click()
        expect(phone).to_have_url(site.url)
        expect(phone.get_by_text("You signed in with a link")).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 320
        phone.goto(link)
        expect(phone).to_have_url(site.url)
    context.close()
    bare = chromium.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
    late = bare.new_page()
    late.goto(link)
    expect(late.get_by_role("heading", level=1)).to_have_text("This link has ended")
    bare.close()


def test_without_scripts_the_code_to_scan_is_there_and_comes_anew(chromium: Browser, site: Site, page: Page) -> None:
    site.run(site.scene.shows_a_code, "2@BARE")
    link = made_link(page, f"{site.url}numbers/front-desk")
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
    phone = context.new_page()
    phone.goto(link)
    code = phone.locator(".qr img")
    first = code.get_attribute("src")
    expect(phone.locator("meta[http-equiv=refresh]")).to_have_attribute("content", "15")
    site.run(site.scene.shows_a_code, "2@BARER")
    phone.reload()
    expect(code).not_to_have_attribute("src", first or "")
    context.close()


def test_a_link_in_a_mail_opens_its_page_for_who_is_signed_in(site: Site, page: Page) -> None:
    def mail(route: Route) -> None:
        route.fulfill(body=f'<a href="{site.url}receivers?page=0">Stock sync is down</a>', content_type="text/html")

    page.route("http://mail.example/", mail)
    page.goto("http://mail.example/")
    page.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/ui/receivers\?page=0$"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_link_in_a_mail_leads_who_is_not_signed_in_to_sign_in(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.route(
        "http://mail.example/",
        lambda route: route.fulfill(
            body=f'<a href="{site.url}receivers">Stock sync is down</a>', content_type="text/html"
        ),
    )
    page.goto("http://mail.example/")
    page.get_by_role("link").click()
    expect(page).to_have_url(f"{site.url}signin?next=/ui/receivers")
    context.close()
