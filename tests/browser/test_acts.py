"""What a person does on the pages, with a real mouse and keyboard."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
import trio
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.browsing import Site, without_complaints
from tests.browser.test_pages import AXE, RULES, axe_core
from tests.gateway import TOKEN

pytest_plugins = ("tests.browser.browsing",)


def test_a_wrong_token_is_refused_and_the_right_one_leads_to_the_page_that_was_asked_for(
    chromium: Browser, site: Site
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site.url}deliveries?state=failed")
    token = page.get_by_label("Token", exact=True)
    expect(token).to_be_focused()
    token.fill("not a token of anybody")
    token.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not valid.")
    token.fill(TOKEN)
    token.press("Enter")
    expect(page).to_have_url(f"{site.url}deliveries?state=failed")
    page.get_by_role("button", name="Sign out").click()
    page.goto(site.url)
    expect(page).to_have_url(re.compile("/ui/signin"))
    context.close()


def test_a_filter_is_in_the_address_and_back_undoes_it(site: Site, page: Page) -> None:
    page.goto(f"{site.url}deliveries")
    page.get_by_label("Receiver").select_option("Customer care")
    page.get_by_label("Error", exact=True).fill("(400)")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"error=%28400%29"))
    expect(page.locator("tbody tr")).to_have_count(4)
    page.get_by_role("link", name="Waiting", exact=True).click()
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(4)
    expect(page.get_by_label("Receiver")).to_have_value(site.scene.targets["Customer care"])


def test_one_delivery_is_retried_and_another_given_up_with_a_reason(site: Site, page: Page) -> None:
    page.goto(f"{site.url}deliveries?state=failed")
    page.locator("tbody tr").first.get_by_role("link").click()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_have_text("It will be sent again.")
    page.goto(f"{site.url}deliveries?state=pending")
    page.locator("tbody tr").first.get_by_role("link").click()
    page.get_by_role("button", name="Give up …").click()
    page.get_by_role("dialog").get_by_label("Why").fill("the shop has closed")
    page.get_by_role("dialog").get_by_role("button", name="Give up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled")
    page.goto(f"{site.url}audit")
    expect(page.locator("tbody tr").first).to_contain_text("the shop has closed")


def test_giving_up_all_that_match_asks_for_their_count_and_keeps_what_was_typed_wrong_out(
    site: Site, page: Page
) -> None:
    site.run(site.scene.post, "one more")
    page.goto(f"{site.url}deliveries?state=pending&target={site.scene.targets['Stock sync']}")
    rows = page.locator("tbody tr").count()
    page.get_by_role("link", name=f"Give up all {rows} …").click()
    page.get_by_label("to confirm").fill(str(rows + 1))
    page.get_by_role("button", name=f"Give up {rows}").click()
    expect(page.get_by_role("alert")).to_contain_text(f"Type {rows} to confirm")
    page.get_by_label("to confirm").fill(str(rows))
    page.get_by_role("button", name=f"Give up {rows}").click()
    expect(page.locator("#progress")).to_contain_text(f"{rows} done")
    expect(page.get_by_role("heading", level=1)).to_have_text("Give up all: done")


def test_a_page_of_an_act_on_all_follows_it_to_its_end(site: Site, page: Page) -> None:
    made = "01980000-0000-7000-8000-000000000001"
    later = "2999-01-01T00:00:00.000000Z"

    def write(text: str, *values: str) -> None:
        with closing(sqlite3.connect(site.scene.gateway.folder / "data" / "wagate.db", timeout=30)) as db, db:
            db.execute(text, values)

    write(
        "INSERT INTO bulk (id, who, verb, which, until, after, state, done, refused, total, reasons, holder, "
        "held_until, created_at, updated_at) VALUES (?, 'admin', 'retry', '{}', '', '', 'running', 1, 0, 9, '{}', "
        "'another process', ?, ?, ?)",
        *(made, later, later, later),
    )
    page.goto(f"{site.url}bulk/{made}")
    stop = page.get_by_role("button", name="Stop")
    stop.focus()
    write("UPDATE bulk SET done = 5, refused = 1, reasons = '{\"gone\": 1}' WHERE id = ?", made)
    expect(page.get_by_role("link", name="1 more was refused. Show which")).to_be_visible()
    expect(page.locator("#progress")).to_contain_text("5 done, 1 refused, of 9.")
    expect(stop).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry all: running")
    write("UPDATE bulk SET done = 8, state = 'done' WHERE id = ?", made)
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry all: done")
    expect(page).to_have_title("Done · retry all · wagate")
    expect(page.locator("#progress")).to_contain_text("8 done, 1 refused, of 9.")
    expect(stop).to_have_count(0)
    expect(page.get_by_role("link", name="To the deliveries")).to_be_focused()
    expect(page.locator("[data-live]")).to_be_hidden()
    page.get_by_role("link", name="1 more was refused").click()
    expect(page.get_by_role("listitem").filter(has_text="1 × gone")).to_be_visible()


def test_a_receiver_is_paused_and_resumed(site: Site, page: Page) -> None:
    page.goto(f"{site.url}receivers")
    page.get_by_role("button", name="Pause Order bot").click()
    expect(page.get_by_role("row", name="Order bot")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume Order bot").click()
    expect(page.get_by_role("row", name="Order bot")).to_contain_text("Up")


def test_try_now_says_that_it_is_still_down(site: Site, page: Page) -> None:
    site.run(site.scene.post, "anybody there?")
    site.run(site.scene.stands, "Stock sync", "down")
    page.goto(site.url)
    page.get_by_role("button", name="Try now Stock sync").first.click()
    expect(page.get_by_role("status")).to_contain_text("still accepts nothing")


LOOK = """(form) => { sessionStorage.clear(); const button = document.querySelector(`${form} button`); button.focus();
    const note = (when) => sessionStorage.setItem(when, [button.textContent, button.ariaBusy, button.disabled].join());
    document.addEventListener("submit", () => setTimeout(
        () => { note("pressed"); button.form.requestSubmit() }), {once: true});
    addEventListener("pagehide", () => note("left")) }"""
"""Notes how a button looks once it was pressed, and when the answer comes; presses it twice."""


def test_a_pressed_button_says_so_until_the_receiver_answers_and_is_not_pressed_twice(site: Site, page: Page) -> None:
    site.run(site.scene.post, "are you slow?")
    site.run(site.scene.stands, "Stock sync", "down")
    page.goto(site.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    gate = site.scene.sink.gate = trio.Event()
    page.evaluate(LOOK, "form[action$='/probe']")
    page.keyboard.press("Enter")
    site.run(site.scene.sink.until_running)
    site.scene.sink.gate = None
    site.token.run_sync_soon(gate.set)
    expect(page.get_by_role("status")).to_contain_text("still accepts nothing")
    busy = "Trying … Stock sync,true,true"
    assert [page.evaluate(f"sessionStorage.{when}") for when in ("pressed", "left")] == [busy, busy]
    assert len(asked) == 1
    expect(page.locator("form[action$='/probe'] button").first).to_have_text("Try now Stock sync")


def test_a_page_that_comes_back_has_its_buttons_as_they_were(site: Site, page: Page) -> None:
    page.goto(f"{site.url}deliveries?state=failed")
    page.locator("tbody [name=id]").first.check()
    page.evaluate(LOOK, "form:has([name=id])")
    page.evaluate(
        """() => document.addEventListener("submit", () => setTimeout(
            () => dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))), {once: true})"""
    )
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.keyboard.press("Enter")
    assert "do=retry" in (sent.value.post_data or "")  # it is disabled once the form was read
    expect(page.get_by_role("status").first).to_contain_text("It will be sent again")
    assert page.evaluate("sessionStorage.pressed") == "Retry selected,true,true"
    assert page.evaluate("sessionStorage.left") == "Retry selected,,false"


def test_keys_walk_pick_and_open_and_are_text_in_a_field(site: Site, page: Page) -> None:
    page.goto(f"{site.url}deliveries")
    page.keyboard.press("/")
    expect(page.get_by_label("Search by id")).to_be_focused()
    page.keyboard.type("j/x")
    expect(page.get_by_label("Search by id")).to_have_value("j/x")
    page.get_by_label("Search by id").blur()
    boxes = page.locator("tbody [type=checkbox]")
    for key in "jjk":
        page.keyboard.press(key)
    expect(boxes.first).to_be_focused()
    page.keyboard.press("x")
    expect(boxes.first).to_be_checked()
    expect(page.locator("[data-picked]")).to_have_text("1 selected")
    first = boxes.first.get_attribute("value")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}deliveries/{first}")


def test_the_theme_is_kept_and_the_page_stays(site: Site, signed_in: BrowserContext) -> None:
    page = signed_in.new_page()
    with without_complaints(page):
        page.emulate_media(color_scheme="light")
        page.goto(f"{site.url}deliveries?state=failed")
        page.get_by_role("button", name="Switch between light and dark").click()
        expect(page).to_have_url(f"{site.url}deliveries?state=failed")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    signed_in.clear_cookies(name="theme")
    page.close()


def test_the_page_of_the_api_is_searched_and_an_operation_is_tried(site: Site, page: Page) -> None:
    page.goto(site.url.replace("/ui/", "/docs"))
    page.keyboard.press("/")
    search = page.get_by_label("Search")
    expect(search).to_be_focused()
    search.fill("accounts oldest first")
    expect(page.locator("#found")).to_have_text(re.compile(r"^1 of \d+$"))
    operation = page.locator("details[data-method=GET][data-path='/api/accounts']")
    operation.locator("summary").click()
    tried = operation.get_by_role("form")
    tried.get_by_role("button", name="Send GET").click()
    expect(tried.get_by_role("status")).to_contain_text("401")
    page.get_by_label("Token").fill(TOKEN)
    tried.get_by_label("limit").fill("2")
    tried.get_by_role("button", name="Send GET").click()
    expect(tried.get_by_role("status")).to_contain_text(re.compile(r"^200\b.*, after \d+ ms$"))
    expect(tried.get_by_label("The answer")).to_contain_text("front-desk")
    assert TOKEN not in page.content()
    page.evaluate(axe_core())
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of two
        assert page.evaluate(AXE, RULES) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    search.fill("POST /messages/send")
    send = page.locator("details[data-method=POST][data-path='/messages/send']")
    send.locator("summary").click()
    expect(send.get_by_label("Body", exact=True)).to_have_value(re.compile('"to": '))


@pytest.mark.parametrize("size", ["1280", "390"])
def test_every_control_is_large_enough_for_a_finger(site: Site, page: Page, size: str) -> None:
    page.set_viewport_size({"width": int(size), "height": 800})
    page.goto(f"{site.url}deliveries")
    small = page.evaluate(
        """(least) => [...document.querySelectorAll("button,input:not([type=hidden]),select,.side a")]
            .map((each) => each.type === "checkbox" ? each.closest("label") ?? each : each)
            .map((each) => [each.getBoundingClientRect(), each.outerHTML.slice(0, 120)])
            .filter(([box]) => box.width && (box.width < least || box.height < least)).map(([, html]) => html)""",
        24 if size == "1280" else 38,
    )
    assert small == []
