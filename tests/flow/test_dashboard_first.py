"""A number's first steps on one page: the code, the first message, who gets it, and the outcome of a test."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import trio

from tests.flow.dashboard import browser, fields_of
from tests.flow.dashboard_engine import FakeEngine
from tests.flow.test_dashboard_numbers import META, add, shows
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.events import SessionStatus

pytest_plugins = ("tests.flow.dashboard", "tests.flow.dashboard_engine")

FIRST = "/ui/numbers/phone-1/first"


@pytest.fixture
async def http(engine: FakeEngine, running: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(running) as client:
        yield client


async def press(http: httpx2.AsyncClient, action: str, **typed: str) -> httpx2.Response:
    """The page's button, wherever it leads."""
    page = await http.get(FIRST)
    assert f'action="{action}"' in page.text, page.text
    answer = await http.post(action, data=fields_of(page) | typed)
    return await http.get(answer.headers["location"]) if answer.status_code == 303 else answer


async def test_a_number_is_operated_whatever_its_name(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    page = "/ui/numbers/a%2Bb%40c%3Ad"
    assert (await add(http, "whatsapp", name="a+b@c:d")).headers["location"] == f"{page}/first"
    await shows(running, http, f"{page}/first", "Scan this code")
    form = fields_of(await http.get(page)) | {"phone": "+1 202 555 0142", "typed": "a+b@c:d"}
    assert "ABCD-1234" in (await http.post(f"{page}/code", data=form)).text
    for act in ("stop", "start"):
        assert (await http.post(f"{page}/{act}", data=form)).headers["location"] == f"{page}?said=acted"
    assert engine.asked == ["12025550142", "stop a+b@c:d", "start a+b@c:d"]
    assert (await http.post(f"{page}/settings", data=form)).headers["location"] == f"{page}?said=saved"
    assert (await http.post(f"{page}/delete", data=form)).headers["location"] == "/ui/numbers?said=numbergone"


async def test_from_the_code_to_the_outcome_of_a_test_without_scripts(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine, receiver: Sink
) -> None:
    assert (await add(http, "whatsapp", name="phone-1")).headers["location"] == FIRST
    await shows(running, http, FIRST, "Scan this code")
    await engine.scan()
    page = await shows(running, http, FIRST, "Connected as +12025550142")
    assert "Write to it from another phone." in page
    assert "Nothing came in yet" in page
    await engine.hears("Is my <order> on its way?")
    await engine.hears("mine", from_me=True)
    page = await shows(running, http, FIRST, "Is my &lt;order&gt; on its way?")
    assert "Ana Souza" in page
    wrong = await press(http, FIRST, webhook_url="http://not.safe/hook")
    assert (wrong.status_code, 'value="http://not.safe/hook"' in wrong.text) == (422, True)
    assert 'id="h-webhook_url"' in wrong.text
    made = await press(http, FIRST, webhook_url=receiver.url)
    assert (made.status_code, "shown only once" in made.text) == (200, True)
    assert "whsec_" not in (await http.get(FIRST)).text
    tried = await press(http, f"{FIRST}/test")
    assert "It accepted the test" in tried.text, tried.text
    (hook,) = (await running.ask("GET", "/api/webhooks/list"))["data"]
    assert (hook["phone_number"], hook["events"], hook["tenant_id"]) == ("phone-1", ["message"], "default")
    await engine.hears("and this one?")
    await receiver.until(lambda sink: any(b"and this one?" in got.body for got in sink.got))
    audit = (await http.get("/ui/audit")).text
    assert "add webhook" in audit
    assert "test webhook" in audit


async def test_a_test_that_fails_says_so(running: Gateway, http: httpx2.AsyncClient, receiver: Sink) -> None:
    await add(http, "whatsapp", name="phone-1")
    receiver.script = lambda _: 400
    await press(http, FIRST, webhook_url=receiver.url)
    tried = await press(http, f"{FIRST}/test")
    assert "It accepted" not in tried.text
    assert "(400)" in tried.text
    form = fields_of(await http.get("/ui/numbers/phone-1"))
    (hook,) = (await running.ask("GET", "/api/webhooks/list"))["data"]
    await running.ask("DELETE", f"/api/webhooks/{hook['id']}", 204)
    early = await http.post(f"{FIRST}/test", data=form)
    assert (early.status_code, "First enter the URL that gets the messages." in early.text) == (409, True)


async def test_pressing_twice_adds_one_webhook(running: Gateway, http: httpx2.AsyncClient, receiver: Sink) -> None:
    await add(http, "whatsapp", name="phone-1")
    form = fields_of(await http.get(FIRST)) | {"webhook_url": receiver.url}
    for _ in range(2):
        assert (await http.post(FIRST, data=form)).status_code == 200
    assert len((await running.ask("GET", "/api/webhooks/list"))["data"]) == 1


async def test_the_first_message_and_the_button_are_pushed(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    await add(http, "whatsapp", name="phone-1")
    await shows(running, http, FIRST, "Scan this code")
    await engine.scan()
    await shows(running, http, FIRST, "Connected as")
    async with http.stream("GET", "/ui/live?page=first&thing=phone-1") as stream:
        told = ""
        with trio.fail_after(60):
            async for text in stream.aiter_text():
                told, before = told + text, told
                if "Nothing came in yet" in told and "Nothing came in yet" not in before:
                    await engine.hears("hello there")
                if "hello there" in told and "hello there" not in before:
                    await engine.tells(SessionStatus.AUTH_FAILURE, "Logged out on the phone")
                if '<span id="again">Show a new code</span>' in told:
                    break
    assert re.search(r'<span id="first"><b dir="auto">Ana Souza</b> wrote: ', told)
    assert "<form" not in told


async def test_a_refused_restart_is_told_on_the_same_page_and_a_done_one_leads_back(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    await add(http, "whatsapp", name="phone-1")
    await shows(running, http, FIRST, "Scan this code")
    await engine.tells(SessionStatus.SESSION_NOT_CONNECTED, "Nobody scanned a QR code for 10 minutes")
    page = await shows(running, http, FIRST, "Show a new code")
    assert "Nobody scanned a QR code for 10 minutes." in page
    engine.away = True
    refused = await press(http, "/ui/numbers/phone-1/restart", to=FIRST)
    assert (refused.status_code, "First steps with phone-1" in refused.text) == (409, True)
    assert 'role="alert"' in refused.text
    engine.away = False
    again = await press(http, "/ui/numbers/phone-1/restart", to=FIRST)
    assert "First steps with phone-1" in again.text
    assert engine.asked == ["restart phone-1"]


async def test_a_number_without_a_session_has_its_first_steps_too(running: Gateway, http: httpx2.AsyncClient) -> None:
    added = await add(http, "meta", **META)
    assert 'href="/ui/numbers/shop/first"' in added.text
    page = (await http.get("/ui/numbers/shop/first")).text
    assert 'id="scan"' not in page
    assert "Send it somewhere" in page
    async with browser(running, (await running.client("bakery"))["token"]) as theirs:
        assert (await theirs.get("/ui/numbers/shop/first")).status_code == 404
