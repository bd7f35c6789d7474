"""``?client=``: the admin sees one client's things alone, and all figures lead to lists of the same."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.flow.dashboard import browser, fields_of
from tests.flow.test_dashboard_figures import led
from tests.inprocess import Gateway
from tests.sink import Sink

pytest_plugins = ("tests.flow.dashboard",)


@pytest.fixture
async def token(running: Gateway, receiver: Sink) -> str:
    """Two clients, each with a number, a receiver that is paused, and messages that wait for it and
    in the queue of jobs; the second's token."""
    token = (await running.client("bakery"))["token"]
    for client, names, count in (("default", "Ours", 3), ("bakery", "Theirs", 2)):
        account = {"name": f"{names}-desk", "provider": "session", "client": client}
        await running.ask("POST", "/api/accounts", 201, json=account)
        hook = await running.register(f"{receiver.url}/{client}", name=f"{names} bot", tenant_id=client)
        await running.ask("POST", f"/api/targets/webhook:{hook['id']}/pause")
        for number in range(count):
            await running.post(f"{names} {number}", chat=f"+1555000{number:04}", tenant_id=client)
    return str(token)


async def test_the_overview_of_one_client_and_all_lists_that_it_leads_to_are_of_that_client(
    running: Gateway, token: str
) -> None:
    await running.passes(120)
    async with browser(running) as http:
        page = await http.get("/ui/?client=bakery")
        assert ("Theirs bot" in page.text, "Ours bot" in page.text, "Ours-desk" in page.text) == (True, False, False)
        assert "This machine</h2>" not in page.text
        figures = {each: await led(http, "/ui/?client=bakery", each) for each in ("f-in", "f-waiting", "f-leaving")}
        assert figures == {"f-in": (2, 2), "f-waiting": (4, 4), "f-leaving": (0, 0)}
        assert (await led(http, "/ui/", "f-waiting")) == (10, 10)
        lists = {unescape(each) for each in re.findall(r'href="(/ui/[^"]*client=bakery[^"]*)"', page.text)}
        assert {each.partition("?")[0] for each in lists} == {
            f"/ui/{each}" for each in ("", "numbers", "receivers", "deliveries", "messages")
        }
        for each in lists:
            text = (await http.get(each)).text
            assert "Ours" not in text, each
            assert 'You see only what belongs to <a href="/ui/clients/bakery">' in text, each
        assert 'href="/ui/?client=bakery"' in (await http.get("/ui/clients/bakery")).text
        [live] = re.findall(r'data-live="([^"]+)"', page.text)
        async with http.stream("GET", unescape(live)) as stream:
            text = await anext(stream.aiter_text())
            assert re.search(r'id="f-waiting"[^>]*>4<', text)
    assert token


async def test_the_filter_stays_over_pages_forms_and_acts_on_all(running: Gateway, token: str) -> None:
    async with browser(running) as http:
        listed = await http.get("/ui/deliveries?state=waiting&client=bakery")
        assert '<input type="hidden" name="client" value="bakery">' in listed.text
        asked = await http.get("/ui/deliveries/bulk?state=waiting&client=bakery&do=cancel-all")
        assert "Give up 4 waiting deliveries of bakery?" in asked.text
        shown = re.search(r'name="shown" value="([^"]+)"', asked.text)
        assert shown is not None
        form = fields_of(asked) | {"shown": unescape(shown[1]), "typed": "4"}
        made = await http.post("/ui/deliveries/bulk?state=waiting&client=bakery&do=cancel-all", data=form)
        bulk = made.headers["location"].rpartition("/")[2]

        async def done() -> bool:
            return str((await running.ask("GET", f"/api/bulk/{bulk}"))["state"]) == "done"

        await running.until(done)
        assert (await led(http, "/ui/", "f-waiting")) == (6, 6), "ours still wait"
    async with browser(running, token) as theirs:
        assert "cancel all" in (await theirs.get("/ui/audit")).text, "it was theirs, so they see who did it"


async def test_a_client_sees_itself_and_nobody_else_by_this_filter(running: Gateway, token: str) -> None:
    async with browser(running, token) as http, browser(running) as admin:
        for page in ("", "numbers", "receivers", "deliveries", "messages", "deliveries/bulk?do=retry-all"):
            at = "&" if "?" in page else "?"
            assert (await http.get(f"/ui/{page}{at}client=default")).status_code == 404, page
            own = await http.get(f"/ui/{page}{at}client=bakery")
            assert (own.status_code, "Ours" in own.text) == (200, False), page
            assert (await admin.get(f"/ui/{page}{at}client=nobody")).status_code == 404, page
        for who, slug in ((http, "default"), (admin, "nobody")):
            assert (await who.get(f"/ui/live?page=overview&client={slug}")).status_code == 404
