"""What pages call things: names instead of ids, sentences instead of keys, a filter in words."""

from __future__ import annotations

import re
from html import unescape

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of, press
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.web.ui import words

pytest_plugins = ("tests.flow.dashboard",)


async def test_the_audit_calls_receivers_by_name_and_tells_nobody_elses(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    target = f"webhook:{hook['id']}"
    theirs = (await running.client("acme"))["token"]
    async with browser(running) as http, browser(running, theirs) as foreign:
        page = (await press(http, "/ui/receivers", f"/ui/receivers/{target}/pause")).text
        page = (await http.get("/ui/audit")).text
        assert re.search(rf'title="{target}">Order bot</a>', page)
        assert "about Order bot <code>" in (await http.get("/ui/audit", params={"about": target})).text
        assert "Order bot" not in (await foreign.get("/ui/audit", params={"about": target})).text


async def test_a_webhook_without_a_name_is_called_by_its_host_and_not_by_its_path(
    running: Gateway, receiver: Sink
) -> None:
    hook = await running.register(f"{receiver.url}/a-secret?token=another")
    target, host = f"webhook:{hook['id']}", receiver.url.partition("://")[2].partition("/")[0]
    assert (await running.ask("GET", f"/api/targets/{target}"))["name"] == host
    async with browser(running) as http:
        assert f'<title id="tab">{host}' in (await http.get(f"/ui/receivers/{target}")).text
        assert f">{target}<" not in (await http.get("/ui/receivers")).text


async def test_an_empty_list_shows_its_filter_and_each_part_can_be_taken_away(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    asked = {"state": "failed", "target": f"webhook:{hook['id']}", "error": "<b>", "since": "24h"}
    async with browser(running) as http:
        page = (await http.get("/ui/deliveries", params=asked)).text
        found = re.findall(r'<a class="chip" href="([^"]+)">(.*?)<span', page)
        assert [unescape(text) for _, text in found] == [
            "state: Failed",
            "receiver: Order bot",
            "error: “<b>”",
            "last 24 hours",
        ]
        for (link, _), name in zip(found, asked, strict=True):
            fewer = (await http.get(unescape(link))).text
            left = [unescape(text) for text in re.findall(r'<a class="chip" href="[^"]+">(.*?)<span', fewer)]
            assert left == [unescape(text) for each, (_, text) in zip(asked, found, strict=True) if each != name]
        assert 'class="chip"' not in (await http.get("/ui/deliveries")).text


async def test_a_time_that_is_none_matches_nothing_rather_than_all(running: Gateway, receiver: Sink) -> None:
    await running.register(receiver.url)
    await running.post("hello")
    await receiver.until_accepted(1)
    async with browser(running) as http:
        assert 'name="id"' in (await http.get("/ui/deliveries?since=1h")).text
        page = (await http.get("/ui/deliveries?since=12h")).text
        assert "Nothing matches" in page
        assert 'class="chip"' in page
        assert "Retry 0 deliveries?" in (await http.get("/ui/deliveries/bulk?since=12h&do=retry-all")).text


async def test_the_doctor_speaks_in_sentences(running: Gateway) -> None:
    async with browser(running) as http:
        page = (await http.get("/ui/doctor")).text
    assert "<h2>Public URL</h2>" in page
    assert "<span>server.public_url is not set.</span>" in page


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("accepted for Shop (…1111)", "Accepted for Shop (…1111)."),
        ("server.public_url is not set", "server.public_url is not set."),
        ("is it reachable?", "Is it reachable?"),
        ("0 failing", "0 failing."),
        ("", ""),
    ],
)
def test_a_finding_is_a_sentence(found: str, said: str) -> None:
    assert words.sentence(found) == said


async def test_the_machines_page_tells_of_database_processes_and_plugins(running: Gateway) -> None:
    await running.post("hello")
    async with browser(running) as http:
        page = re.sub(r"\s+", " ", (await http.get("/ui/system")).text)
    assert "<dt>Running</dt><dd>1</dd>" in page
    assert re.search(r"<dt>Database</dt><dd>[\d.,]+ MB, the oldest message <time|less than 1 MB, the oldest", page)
    assert re.search(r'<dt>webhook</dt><dd><span class="st ok">On</span>', page)
    assert "<dt>Files</dt><dd>30 days</dd>" in page


async def test_what_could_not_be_given_up_any_more_is_not_said_to_be(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    await running.post("hello")
    job = (await running.event(hook, "hello", "delivered"))["id"]
    async with browser(running) as http:
        form = fields_of(await http.get("/ui/deliveries")) | {"id": job, "do": "cancel", "asked": "yes"}
        done = await http.post("/ui/deliveries", data=form | {"to": "/ui/deliveries"})
        said = (await http.get(done.headers["location"])).text
    assert "It has changed in the meantime; this is its current state." in said
    assert "Given up" not in said


async def test_a_stream_that_is_asked_for_after_the_sign_in_has_ended_says_so(running: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False) as http:
        answer = await http.get("/ui/live?page=overview")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text == "event: end\ndata: Signed out\n\n"


async def test_a_client_without_numbers_who_may_only_look_is_told_so(running: Gateway) -> None:
    await running.client("acme")
    async with browser(running) as http:
        made = await press_link(http, "acme")
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False) as linked:
        await linked.post("/ui/enter", data={"k": made})
        assert "No number yet. Messages come in once there is one." in (await linked.get("/ui/")).text


async def press_link(http: httpx2.AsyncClient, slug: str) -> str:
    """The secret of a new link that only looks."""
    form = fields_of(await http.get(f"/ui/clients/{slug}"))
    made = await http.post(f"/ui/clients/{slug}/links", data=form | {"may": "look"})
    found = re.search(r"enter\?k=([\w-]+)", made.text)
    assert found is not None
    return found[1]
