"""Others' words in a real browser: no dialog opens, no policy is broken, and no element is made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.browsing import Site, a_site
from tests.browser.scene import Scene
from tests.flow.test_dashboard_hostile import ui
from tests.hostile import PAYLOADS, hostile_gateway
from tests.sink import Sink

pytest_plugins = ("tests.browser.browsing",)

MADE = """() => [...document.querySelectorAll("*")].filter((each) =>
    each.localName.includes("xq7") || ["iframe", "object", "embed", "base", "style"].includes(each.localName)
    || [...each.attributes].some(({name}) => name.includes("xq7") || name.startsWith("on") || name === "srcdoc")
    || (each.localName === "script" && !each.src)
    || ["href", "action", "src"].some((name) => each[name] && typeof each[name] === "string"
        && !each[name].startsWith(location.origin + "/") && !each[name].startsWith("data:image/"))
    ).map((each) => each.outerHTML.slice(0, 200))"""
"""Elements that are none of ours."""
BEGIN = ("", "more", "signin", "bulk", "scan?k=xq7", "enter?k=xq7", "numbers/broken-0", "nowhere/<xq7>")
SAID = (
    "deliveries?{}&state=failed",
    "deliveries/bulk?{}&do=retry-all",
    "audit?{}",
    "conversations?{}",
    "webhooks/new?{}",
    "signin?{}",
)
"""Pages that show what their query says."""
FIELDS = ("q", "error", "chat", "target", "number", "about", "who", "find", "name", "phone_number", "next")


@asynccontextmanager
async def hostile() -> AsyncIterator[Scene]:
    async with hostile_gateway() as gateway:
        yield Scene(gateway, Sink("", Path()), {}, {})


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with a_site(hostile) as made:
        yield made


@pytest.fixture
def calm(page: Page) -> Iterator[Page]:
    """No dialog opens in it."""
    opened: list[str] = []

    def note(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    yield page
    page.remove_listener("dialog", note)
    assert opened == []


def look(page: Page, url: str) -> list[str]:
    """Nothing is made of a text, and nothing makes the page wider than a phone; where it leads."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(url)
    assert page.evaluate(MADE) == [], url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, url
    links: list[str] = page.evaluate("[...document.querySelectorAll('a')].map((each) => each.getAttribute('href'))")
    return [each.partition("#")[0] for each in links if each and each.startswith("/ui/")]


def test_no_page_makes_anything_of_others_words(site: Site, calm: Page) -> None:
    host, seen = site.url.removesuffix("/ui/"), Counter[str]()
    todo = [f"/ui/{quote(each, safe='/?=')}" for each in BEGIN]
    for path in todo:
        rules = ui().url_map.bind("")
        kind = rules.match(urlsplit(path).path, return_rule=True)[0].rule if rules.test(urlsplit(path).path) else path
        seen[kind] += 1
        if seen[kind] == 1 and "/static/" not in path and "/tries/" not in path and not path.endswith("/request"):
            todo += look(calm, host + path)
    assert len(seen) >= 30


@pytest.mark.parametrize("path", SAID)
def test_what_an_address_says_is_text(site: Site, calm: Page, path: str) -> None:
    for each in PAYLOADS[:18:3]:
        look(calm, site.url + path.format("&".join(f"{name}={quote(each)}" for name in FIELDS)))


def test_what_the_stream_brings_is_text(site: Site, calm: Page) -> None:
    gateway = site.scene.gateway
    calm.goto(f"{site.url}numbers/broken-0")
    for number, each in enumerate(PAYLOADS[:18]):
        told = {"event": "auth_failure", "data": {"message": f"streamed {number} {each}"}}
        site.run(lambda told=told: gateway.ask("POST", "/api/whatsapp/webhook/broken-0", json=told))
        expect(calm.locator("#scan")).to_contain_text(f"streamed {number} ")
        assert calm.evaluate(MADE) == []
