"""A delivery's page: what was sent, as the receiver got it, and what each try was answered."""

from __future__ import annotations

import html
import sqlite3
from contextlib import closing

import msgspec

from tests.flow.dashboard import browser
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.web.ui.app import NOT_HERE

pytest_plugins = ("tests.flow.dashboard",)


async def test_a_page_shows_the_request_without_its_secrets_and_the_whole_body_behind_a_link(
    running: Gateway, receiver: Sink
) -> None:
    hook = await running.register(receiver.url, name="Order bot", headers={"X-Key": "a password"})
    await running.post("long " * 1000)
    await receiver.until_accepted(1)
    (job,) = (await running.ask("GET", "/api/jobs?connector=webhook"))["data"]
    async with browser(running) as http:
        page = html.unescape((await http.get(f"/ui/deliveries/{job['id']}")).text)
        assert f"POST {receiver.url}" in page
        got = receiver.got[0]
        shown = dict(line.split(": ", 1) for line in page.splitlines() if line.count(": ") == 1 and "<" not in line)
        assert shown["webhook-id"] == got.headers["webhook-id"] == job["id"]
        assert (shown["webhook-signature"], shown["X-Key"]) == ("••••", "••••")
        assert "Each try builds it anew." in page
        assert not any(each in page for each in ("a password", hook["secret"], got.headers["webhook-signature"]))
        whole = await http.get(f"/ui/deliveries/{job['id']}/request")
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.text == msgspec.json.format(got.body.decode(), indent=2)
    assert whole.text not in page
    assert whole.text[:1000] in page


async def test_each_try_shows_its_own_answer(running: Gateway, receiver: Sink) -> None:
    await running.register(receiver.url, name="Order bot")
    receiver.script = lambda _: 503 if len(receiver.got) < 1 else 400
    receiver.says = lambda _: b"<b>answer %d</b>" % len(receiver.got) + b"." * 3000
    await running.post("hello")
    await receiver.until(lambda sink: len(sink.got) >= 1)
    await running.passes(60)
    await receiver.until(lambda sink: len(sink.got) >= 2)
    (job,) = (await running.ask("GET", "/api/jobs?connector=webhook"))["data"]
    async with browser(running) as http:
        page = (await http.get(f"/ui/deliveries/{job['id']}")).text
        assert "The last one: Client error (400)" in page
        for number, error in ((1, "Server error (503)"), (2, "Client error (400)")):
            tried = page.partition(f'id="try-{number}"')[2].partition("</li>")[0]
            assert error in tried
            assert f"&lt;b&gt;answer {number - 1}&lt;/b&gt;..." in tried
            whole = await http.get(f"/ui/deliveries/{job['id']}/tries/{number}")
            assert (len(whole.text), whole.text[:15]) == (3015, f"<b>answer {number - 1}</b>")
            assert whole.headers["content-type"] == "text/plain; charset=utf-8"
        gone = await http.get(f"/ui/deliveries/{job['id']}/tries/3")
        assert (gone.status_code, NOT_HERE in html.unescape(gone.text)) == (404, True)


async def test_a_connector_that_can_not_tell_costs_the_page_the_request_alone(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot", headers={"X-Key": "a password"})
    await running.post("hello")
    await receiver.until_accepted(1)
    (job,) = (await running.ask("GET", "/api/jobs?connector=webhook"))["data"]
    with closing(sqlite3.connect(running.folder / "data" / "wagate.db", timeout=30)) as db, db:
        db.execute("""UPDATE webhooks SET options = '{"headers": "encrypted elsewhere"}'""")
    async with browser(running) as http:
        page = await http.get(f"/ui/deliveries/{job['id']}")
        assert (page.status_code, "Accepted (200)" in page.text) == (200, True)
        why = "this is not possible right now; see the gateway's log"
        assert f"It can't be shown right now: {why}." in html.unescape(page.text)
        assert (await http.get(f"/ui/deliveries/{job['id']}/request")).status_code == 503
        page = await http.get(f"/ui/webhooks/{hook['id']}?tried={job['id']}")
        assert (page.status_code, "Order bot" in page.text) == (200, True)


async def test_a_delivery_of_a_deleted_webhook_has_a_page_without_its_request(running: Gateway, receiver: Sink) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    await running.post("hello")
    await receiver.until_accepted(1)
    (job,) = (await running.ask("GET", "/api/jobs?connector=webhook"))["data"]
    await running.ask("DELETE", f"/api/webhooks/{hook['id']}", 204)
    async with browser(running) as http:
        page = await http.get(f"/ui/deliveries/{job['id']}")
        assert (page.status_code, "The request" in page.text) == (200, False)
        assert (await http.get(f"/ui/deliveries/{job['id']}/request")).status_code == 404
