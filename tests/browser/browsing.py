"""A real browser in front of a real gateway, which runs in a thread of its own: one of each for the tests of a file.

Use with ``pytest_plugins = ("tests.browser.browsing",)``. Fails a test whose page broke its own security policy.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
import trio
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.browser.scene import Scene, scene
from tests.gateway import TOKEN

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60_000
"""Milliseconds: a busy machine is no broken page."""
T = TypeVar("T")


@dataclass(frozen=True)
class Site:
    """The gateway and its receivers, as the thread of the tests sees them."""

    scene: Scene
    token: trio.lowlevel.TrioToken

    @property
    def url(self) -> str:
        """Of the dashboard."""
        return f"{self.scene.gateway.url}/ui/"

    def run(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Do something where the gateway runs."""
        return trio.from_thread.run(work, *arguments, trio_token=self.token)


@contextmanager
def a_site(stage: Callable[[], AbstractAsyncContextManager[Scene]] = scene) -> Iterator[Site]:
    """A gateway with something to see on every page, or with another stage."""
    started: SimpleQueue[tuple[Site, trio.Event] | BaseException] = SimpleQueue()

    async def live() -> None:
        over = trio.Event()
        async with stage() as made:
            started.put((Site(made, trio.lowlevel.current_trio_token()), over))
            await over.wait()

    def thread_of_its_own() -> None:
        try:
            trio.run(live)
        except BaseException as error:
            started.put(error)
            raise

    thread = threading.Thread(target=thread_of_its_own)
    thread.start()
    first = started.get(timeout=240)
    if isinstance(first, BaseException):
        raise first
    site, over = first
    try:
        yield site
    finally:
        site.token.run_sync_soon(over.set)
        thread.join(timeout=60)


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Debian's Chromium without a screen, with a profile that is thrown away."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), timeout=PATIENCE)
        yield browser
        browser.close()


def sign_in(context: BrowserContext, site: Site) -> None:
    """As a person does."""
    page = context.new_page()
    page.goto(f"{site.url}signin")
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_label("Stay signed in").check()
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(site.url)
    page.close()


def made_link(page: Page, url: str = "") -> str:
    """A new link, from the page that makes it; '': from the one that is open, as its form was filled in."""
    if url:
        page.goto(url)
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("[data-copy*='?k=']").get_attribute("data-copy")
    assert link is not None
    return link


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with a_site() as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; on Debian: apt-get install chromium")
    with a_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, site: Site) -> Iterator[BrowserContext]:
    """A context in which the admin is signed in."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    sign_in(context, site)
    yield context
    context.close()


@pytest.fixture(scope="module")
def tab(signed_in: BrowserContext) -> Iterator[Page]:
    """One tab for page after page: the browser starts a process for each new one."""
    tab = signed_in.new_page()
    yield tab
    tab.close()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """The tab, as wide and as light as a new one; what was open in it is left with the first page that is opened."""
    with without_complaints(tab):
        yield tab
    tab.unroute_all()
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme="null", reduced_motion="null")


@pytest.fixture
def new_page(signed_in: BrowserContext) -> Iterator[Page]:
    """A new tab, for a test that changes what all pages in it are."""
    page = signed_in.new_page()
    with without_complaints(page):
        yield page
    page.close()


@contextmanager
def without_complaints(page: Page) -> Iterator[None]:
    """What the browser complains about in its console fails the test, and so does every error of a script.

    That an answer was 404 or 422 is none: the page says so itself.
    """
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            said.append(message.text)

    def note_error(error: Error) -> None:
        said.append(str(error))

    page.on("console", note)
    page.on("pageerror", note_error)
    yield
    page.remove_listener("console", note)
    page.remove_listener("pageerror", note_error)
    assert not said, said
