"""Each figure leads to the list that it counts, and both count the same."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html import unescape
from urllib.parse import unquote

import httpx2
import pytest

from tests.flow.dashboard import browser
from tests.gateway import TOKEN
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.storage.database import FILE

pytest_plugins = ("tests.flow.dashboard",)


async def led(http: httpx2.AsyncClient, page: str, leaf: str) -> tuple[int, int]:
    """What a figure says, and how many rows the page has that it leads to."""
    shown = (await http.get(page)).text
    before, _, after = shown.partition(f'id="{leaf}">')
    links = re.findall(r'<a [^>]*?href="([^"]+)"', before)
    assert before.rindex("<a ") > before.rindex("</a>"), f"{leaf} leads nowhere"
    rows = (await http.get(unescape(links[-1]))).text
    return int(after.partition("<")[0].replace(",", "")), rows.partition("<tbody>")[2].count("<tr ")


STATES = {
    "waits": "status = 'pending'",
    "is on its way": "status = 'delivering'",
    "was given up": "status = 'failed', settled = TRUE",
    "is tried again": "status = 'failed', held = TRUE",
    "is over": "status = 'delivered', settled = TRUE",
}


@pytest.fixture
async def target(running: Gateway, receiver: Sink) -> str:
    """A receiver with a delivery in every state, and a number with the same; each has one in the queue of jobs, too."""
    hook = await running.register(receiver.url, name="Order bot")
    await running.ask("POST", "/api/accounts", 201, json={"name": "front-desk", "provider": "session"})
    name = f"webhook:{hook['id']}"
    await running.ask("POST", f"/api/targets/{name}/pause")
    texts = [f"{text}, {side}" for text in STATES for side in ("received", "sent")]
    for number, text in enumerate(texts):
        await running.post(text, chat=f"+1555000{number:04}")
    with closing(sqlite3.connect(running.folder / "data" / FILE, timeout=60)) as db:
        ((account,),) = db.execute("SELECT id FROM accounts WHERE name = 'front-desk'")
        # What is not parked yet is for the number then, and would be sent.
        same = "client_id, status, failure_count, streak, probes, alerted, updated_at, paused_at"
        copied = f"SELECT ?, 'outbound', {same} FROM targets WHERE id = ?"
        db.execute(f"INSERT INTO targets (id, handler, {same}) {copied}", [f"outbound:{account}", name])
        of = "event_id IN (SELECT id FROM events WHERE content LIKE ?)"
        for text, state in STATES.items():
            db.execute(f"UPDATE deliveries SET {state} WHERE {of}", [f"{text}%"])
        sent = "UPDATE deliveries SET handler = 'outbound', target_id = ? WHERE"
        db.execute(f"{sent} {of}", [f"outbound:{account}", "%sent"])
        db.commit()
    return name


async def test_every_figure_of_the_overview_counts_the_rows_that_it_leads_to(running: Gateway, target: str) -> None:
    await running.passes(120)
    async with browser(running) as http:
        found = {leaf: await led(http, "/ui/", leaf) for leaf in ("f-in", "f-waiting", "f-failed", "f-leaving")}
        found |= {part: await led(http, "/ui/receivers", f"t-{target}-{part}") for part in ("waiting", "failed")}
        number = re.search(r'id="(n-[^"]+-leaving)">[1-9]', (await http.get("/ui/")).text)
        assert number is not None
        found["number"] = await led(http, "/ui/", number[1])
    assert found == {
        "f-in": (10, 10),
        "f-waiting": (6, 6),
        "f-failed": (2, 2),
        "f-leaving": (6, 6),
        "waiting": (3, 3),
        "failed": (1, 1),
        "number": (6, 6),
    }


async def test_a_numbers_and_a_receivers_page_lead_to_what_they_count(running: Gateway, target: str) -> None:
    token = await running.ask("POST", "/api/clients/default/tokens", 201, json={"name": "mine"})
    for who in (TOKEN, str(token["token"])):
        async with browser(running, who) as http:
            page = (await http.get("/ui/numbers/front-desk")).text
            assert (await led(http, "/ui/numbers/front-desk", "leaving")) == (6, 6)
            for part, count in (("waiting", 3), ("failed", 1)):
                assert await led(http, f"/ui/receivers/{target}", f"t-{target}-{part}") == (count, count)
            sending = re.search(r"target=(outbound(?::|%3A)[\w-]+)", page)
            assert sending is not None
            name = unquote(sending[1])
            for part, count in (("waiting", 6), ("failed", 2)):
                assert await led(http, f"/ui/receivers/{name}", f"t-{name}-{part}") == (count, count)


async def test_what_was_handed_on_is_listed_by_when_that_was(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    await running.ask("POST", f"/api/targets/webhook:{hook['id']}/pause")
    for number in range(2):
        await running.post(f"late {number}", chat=f"+1555000{number:04}")
    await running.passes(7200)
    await running.ask("POST", f"/api/targets/webhook:{hook['id']}/resume")
    await receiver.until_accepted(2)
    await running.passes(120)
    async with browser(running) as http:
        assert await led(http, "/ui/", "f-on") == (2, 2)
        assert (await http.get("/ui/deliveries?state=delivered&since=1h")).text.count("<tr ") == 0, "stored before"
    await running.passes(7200)
    async with browser(running) as http:
        assert await led(http, "/ui/", "f-on") == (0, 0)


async def test_what_a_client_came_for_is_its_own(running: Gateway, target: str) -> None:
    token = (await running.client("other"))["token"]
    async with browser(running, token) as http:
        for page in ("messages", "deliveries?state=waiting", "deliveries?state=leaving", "deliveries?state=lost"):
            assert "<tbody>" not in (await http.get(f"/ui/{page}")).text, page
    assert target


async def test_all_that_a_figure_counts_is_retried_and_nothing_else(running: Gateway, target: str) -> None:
    async with browser(running) as http:
        asked = await http.get(f"/ui/deliveries/bulk?do=retry-all&state=lost&target={target}")
        assert "1 permanently failed delivery" in asked.text or "permanently failed deliveries" in asked.text
        assert "Retry 1" in asked.text
