"""A page weighs the same however many receivers there are: it reads and shows those that somebody looks at."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html import unescape

import httpx2

from tests.flow.dashboard import browser
from tests.inprocess import Gateway

pytest_plugins = ("tests.flow.dashboard",)

FEW, MANY = 210, 1500
"""Receivers; of few already more than one page or form shows."""
PAGES = (
    "/ui/",
    "/ui/receivers",
    "/ui/webhooks",
    "/ui/deliveries",
    "/ui/deliveries/bulk?state=failed&target=webhook:7&do=retry-all",
    "/ui/numbers/main",
)
LIVE = ("/ui/", "/ui/receivers")
HOOK = (
    "INSERT INTO webhooks (id, client_id, phone_number, name, webhook_url, created_at, updated_at) VALUES "
    "(?, (SELECT MIN(id) FROM clients), '*', ?, ?, '2025-01-20T10:00:00.000000Z', '2025-01-20T10:00:00.000000Z')"
)


TARGET = (
    "INSERT INTO targets (id, handler, status, failure_count, streak, probes, alerted, updated_at) VALUES "
    "(?, 'q', 'active', 0, 0, 0, 0, '2025-01-20T10:00:00.000000Z')"
)
NUMBER = (
    "INSERT INTO accounts (id, name, client_id, provider, status, ever_connected, created_at, updated_at) SELECT "
    "'main', 'main', MIN(id), 'session', 'session_connected', TRUE, MIN(created_at), MIN(created_at) FROM clients"
)


def add(gateway: Gateway, begin: int, end: int) -> None:
    """Receivers straight into the table, with names and ids of one length."""
    rows = [(f"{n:08}-0000-7000-8000-000000000000", f"Till {n:08}", f"https://r{n:08}.test") for n in range(begin, end)]
    with closing(sqlite3.connect(gateway.folder / "data" / "wagate.db")) as db, db:
        db.executemany(HOOK, rows)


async def weigh(http: httpx2.AsyncClient) -> dict[str, int]:
    """Bytes of each page, and of what its stream says first."""
    weights = {}
    for path in PAGES:
        page = await http.get(path)
        assert page.status_code == 200, page.text
        weights[path] = len(page.text)
        if path in LIVE:
            [live] = re.findall(r'data-live="([^"]+)"', page.text)
            async with http.stream("GET", unescape(live)) as stream:
                texts = stream.aiter_text()
                weights[f"{path}, live"] = len(await texts.__anext__())
                await texts.aclose()
    return weights


async def test_seven_times_as_many_receivers_make_no_page_and_no_stream_heavier(running: Gateway) -> None:
    with closing(sqlite3.connect(running.folder / "data" / "wagate.db")) as db, db:
        db.execute(NUMBER)
    async with browser(running) as http:
        add(running, 0, FEW)
        few = await weigh(http)
        add(running, FEW, MANY)
        many = await weigh(http)
        for path, weight in many.items():
            assert weight < few[path] + 1000, path
        assert f"{MANY:,} receivers up" in (await http.get("/ui/")).text
        last = (await http.get(f"/ui/receivers?page={(MANY - 1) // 50}")).text
        assert ("Till 00001499" in last, "Till 00001449" in last, "receivers?page=30" in last) == (True, False, False)


async def test_a_receiver_whose_id_has_a_url_is_shown_rather_than_searched_for(running: Gateway) -> None:
    ids = ("q:amqp://h/x", f"q:amqp://{'h' * 300}/x")
    with closing(sqlite3.connect(running.folder / "data" / "wagate.db")) as db, db:
        db.executemany(TARGET, [(each,) for each in ids])
    async with browser(running) as http:
        for each in ids:
            led = await http.get("/ui/deliveries", params={"target": each})
            assert (led.status_code, "in the name: choose" in led.text) == (200, False), each
        assert 'value="q:amqp://h/x" selected' in (await http.get("/ui/deliveries?target=q:amqp://h/x")).text
        one = await http.get("/ui/deliveries", params={"target": "amqp://h/x"})
        assert one.headers["location"] == "/ui/deliveries?target=q%3Aamqp%3A%2F%2Fh%2Fx"


async def test_one_of_many_receivers_is_found_by_its_name_without_a_script(running: Gateway) -> None:
    add(running, 0, FEW)
    async with browser(running) as http:
        form = (await http.get("/ui/deliveries")).text
        assert '<input id="f-t" name="target" placeholder="Receiver' in form
        one = await http.get("/ui/deliveries", params={"target": "till 00000042", "state": "failed"})
        led = "/ui/deliveries?state=failed&target=webhook%3A00000042-0000-7000-8000-000000000000"
        assert (one.status_code, one.headers["location"]) == (303, led)
        some = (await http.get("/ui/deliveries", params={"target": "Till 0000004"})).text
        assert "10 receivers with “Till 0000004” in the name" in some
        assert some.count('<option value="webhook:') == 10
        none = (await http.get("/ui/deliveries", params={"target": "<b>nobody"})).text
        assert "No receiver, or too many, with “&lt;b&gt;nobody”" in none
