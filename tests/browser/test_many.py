"""Acts on many deliveries, and a pause, while messages go on coming in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browsing import PATIENCE, Site
from tests.browser.scene import CHATS
from tests.flow.test_dashboard_bulk import MANY, copy_failed
from tests.sink import Got

pytest_plugins = ("tests.browser.browsing",)


@contextmanager
def coming_in(site: Site, texts: Sequence[str]) -> Iterator[None]:
    """These messages come in one after the other, each in the next of three chats, while something else is done."""
    failed: list[Exception] = []

    def post() -> None:
        try:
            for number, text in enumerate(texts):
                site.run(partial(site.scene.post, text, chat=number % len(CHATS)))
        except Exception as error:  # noqa: BLE001  (told below)
            failed.append(error)

    thread = Thread(target=post)
    thread.start()
    yield
    thread.join(timeout=PATIENCE / 1000)
    assert not thread.is_alive()
    assert not failed


def reload_until(page: Page, place: str, text: str) -> None:
    """What the page says when it is asked for again; a minute is enough."""
    until = time.monotonic() + PATIENCE / 1000
    while text not in (said := page.locator(place).inner_text()):
        assert time.monotonic() < until, said
        page.wait_for_timeout(200)
        page.reload()


def arrive(page: Page, there: Callable[[], bool], seconds: float = PATIENCE / 1000) -> None:
    """Let the browser go on until something is so."""
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        page.wait_for_timeout(50)


def at(site: Site, path: str) -> list[Got]:
    """What a receiver was sent, in order."""
    return [got for got in site.scene.sink.got if got.path == path]


@pytest.fixture
def rest(site: Site) -> Iterator[None]:
    """The receivers answer as before."""
    script, answers = site.scene.sink.script, dict(site.scene.answers)
    yield
    site.scene.sink.script = script
    site.scene.answers.update(answers)


@pytest.mark.usefixtures("rest")
def test_1204_that_match_run_once_and_what_comes_in_meanwhile_is_not_among_them(site: Site, page: Page) -> None:
    scene, later = site.scene, [f"later {number}" for number in range(18)]
    care, bot = scene.targets["Customer care"], scene.targets["Order bot"]
    scene.answers["/orders"] = 400
    site.run(scene.post, "refused by both")
    failed = f"{site.url}deliveries?state=failed&target="
    for target in (bot, care):
        page.goto(f"{failed}{target}")
        reload_until(page, "main", "refused by both")
    listed = page.locator("tbody [name=id]").evaluate_all("(all) => all.map((each) => each.value)")
    copy_failed(scene.gateway, listed[0], MANY - len(listed) + 1, chats=60)
    scene.sink.script = lambda got: 400 if got.path == "/crm" and b"later" in got.body else 200

    page.reload()
    page.get_by_role("link", name="Retry all 1,204 that match …").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry 1,204 failed deliveries to Customer care?")
    expect(page.locator(".head")).to_contain_text("UTC: deliveries that arrive later are not included")
    as_of = page.locator(".head time").get_attribute("datetime")
    expect(page.get_by_role("button", name="Retry 1,204")).to_be_visible()
    page.get_by_label("to confirm").fill("1203")
    page.get_by_role("button", name="Retry 1,204").click()
    expect(page.get_by_role("alert")).to_have_text("Type 1,204 to confirm.")
    assert (page.locator(".head time").get_attribute("datetime") or "") > (as_of or "")
    form = page.locator("main form").evaluate("(form) => Object.fromEntries(new FormData(form))")
    already = len(at(site, "/crm"))
    with coming_in(site, later):
        arrive(page, lambda: any("later" in got.json["content"] for got in at(site, "/crm")))
        page.get_by_label("to confirm").fill("1,204")
        page.get_by_role("button", name="Retry 1,204").dblclick()
        expect(page).to_have_url(re.compile(r"/ui/bulk/[\w-]+$"))
        reload_until(page, "#progress", "1,204 done, of 1,204.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry all: done")
    again = page.request.post(f"{site.url}deliveries/bulk?do=retry-all", form=form | {"typed": "1204"}, max_redirects=0)
    assert again.headers["location"] == page.url.removeprefix(site.url.removesuffix("/ui/"))

    page.goto(f"{site.url}bulk")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr [data-l]")).to_have_text(["1,204", "0"])
    page.goto(f"{site.url}audit")
    expect(page.locator("tbody tr").filter(has_text="1,204 deliveries")).to_have_count(1)
    page.goto(f"{failed}{care}")
    reload_until(page, "main", f"Retry all {len(later)} that match …")
    page.goto(site.url)
    row = page.get_by_role("row", name="Customer care")
    expect(row.locator("[data-l=Failed]")).to_have_text(str(len(later)))
    expect(page.locator("#f-failed")).to_have_text(str(len(later) + 1))
    page.locator("#f-failed").click()
    expect(page.locator("tbody tr")).to_have_count(len(later) + 1)

    def ran() -> list[str]:
        return [got.id for got in at(site, "/crm")[already:] if "later" not in got.json["content"]]

    arrive(page, lambda: len(ran()) >= MANY, 300)
    page.goto(f"{site.url}deliveries?state=waiting&target={care}")
    reload_until(page, "main", "Nothing matches.")
    assert len(ran()) == len({*ran()}) == MANY
    once = [got.id for got in at(site, "/crm") if "later" in got.json["content"]]
    assert len(once) == len({*once}) == len(later)


def test_a_receiver_that_is_paused_gets_nothing_and_then_all_in_order(site: Site, page: Page) -> None:
    scene, bot = site.scene, site.scene.targets["Order bot"]
    texts = [f"flow {number}" for number in range(75)]

    def arrived() -> list[Got]:
        return [got for got in at(site, "/orders") if got.json["content"] in texts]

    page.goto(site.url + scene.page("Order bot"))
    state, waiting = page.locator("main .st").first, page.locator(f"[id='t-{bot}-waiting']")
    expect(state).to_have_text("Up")
    with coming_in(site, texts[:30]):
        arrive(page, lambda: bool(arrived()))
        page.get_by_role("button", name="Pause Order bot").click()
        expect(page.get_by_role("status")).to_contain_text("Paused. New messages wait in order")
    expect(state).to_have_text("Paused")
    site.run(scene.gateway.passes, 0)  # what was under way has ended
    sent = len(arrived())
    with coming_in(site, texts[30:60]):
        page.goto(f"{site.url}receivers")
        expect(page.get_by_role("row", name="Order bot")).to_contain_text("Paused")
    site.run(scene.gateway.passes, 120)
    assert len(arrived()) == sent <= 30
    held = str(60 - sent)
    expect(waiting).to_have_text(held)  # by the stream
    waiting.click()
    expect(page.locator("tbody tr")).to_have_count(min(int(held), 50))
    expect(page.locator("tbody .st").first).to_have_text("Waiting")
    page.goto(site.url + scene.page("Order bot"))
    expect(waiting).to_have_text(held)
    with coming_in(site, texts[60:]):
        page.get_by_role("button", name="Resume Order bot").click()
        expect(page.get_by_role("status")).to_contain_text("Resumed.")
    arrive(page, lambda: len(arrived()) >= len(texts))
    expect(state).to_have_text("Up")
    expect(waiting).to_have_text("0")
    site.run(scene.gateway.passes, 120)
    found = [got.json["content"] for got in arrived()]
    assert sorted(found) == sorted(texts)
    for chat in range(len(CHATS)):
        assert [text for text in found if text in texts[chat :: len(CHATS)]] == texts[chat :: len(CHATS)]
    page.goto(f"{site.url}deliveries?state=waiting&target={bot}")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
