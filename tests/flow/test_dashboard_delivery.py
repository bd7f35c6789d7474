"""A delivery's page: what was sent, as the receiver got it, and what each try was answered."""

from __future__ import annotations

import html
import re
import sqlite3
from contextlib import closing
from typing import Any

import msgspec
import trio

from tests.chatwoot_office import ANA, office
from tests.flow.dashboard import browser
from tests.inprocess import CHAT, Gateway
from tests.sink import Sink
from wagate.testing.server import Fault, Reply, Seen
from wagate.web.ui import words
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
        why = "its connector failed; see the gateway's log"
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


async def test_a_message_in_chatwoot_is_shown_as_it_was_posted() -> None:
    async with office() as here:
        here.waha.files["a.png"] = b"\x89PNG\r\n\x1a\n" + bytes(2000)
        media = {"url": f"{here.waha.url}/api/files/a.png", "mimetype": "image/png", "filename": "a.png"}
        first = await here.comes("*one*")
        await here.comes("two", replyTo={"id": first, "body": "one"})
        await here.comes("", hasMedia=True, media=media, body="a bill")
        await here.comes("old", timestamp=here.now() - 3600)
        await here.comes("elsewhere", replyTo={"id": f"false_{ANA}_AAAA", "body": "before all this"})
        await here.chatwoot.until_posted(5)
        posted = [each for each in here.chatwoot.seen if each.method == "POST" and each.path.endswith("/messages")]
        assert [first_line(each) for each in posted] == ["*one*", "two", "a bill", "old", "elsewhere"]
        rows: list[dict[str, Any]] = []
        with trio.fail_after(60):
            while len(rows) < 5:
                rows = (await here.gateway.ask("GET", "/api/jobs?connector=chatwoot&status=delivered"))["data"]
        async with browser(here.gateway) as http:
            for row, seen in zip(reversed(rows), posted, strict=True):
                page = html.unescape((await http.get(f"/ui/deliveries/{row['id']}")).text)
                assert f"POST {here.chatwoot.url}{seen.path}" in page
                assert "api_access_token: ••••" in page
                shown = msgspec.json.decode((await http.get(f"/ui/deliveries/{row['id']}/request")).content)
                assert shown.pop("attachments[]", "") == ("a.png" if seen.parts else "")
                assert as_sent(shown) == as_sent(given(seen))


def first_line(seen: Seen) -> str:
    """What a person wrote, without what stands above it."""
    return str(given(seen)["content"].splitlines()[-1].replace("**", "*"))


def given(seen: Seen) -> dict[str, Any]:
    """The fields of a form, or of JSON."""
    return {part.name: part.content.decode() for part in seen.parts if not part.filename} or dict(seen.json)


def as_sent(fields: dict[str, object]) -> dict[str, object]:
    """JSON, and the fields of a form, in the same way."""
    texts = {
        name: each if isinstance(each, str) else msgspec.json.encode(each).decode() for name, each in fields.items()
    }
    return {name: each for name, each in texts.items() if name != "attachments[]"}


async def test_before_a_conversation_is_known_the_request_says_so_and_ticks_have_none() -> None:
    async with office() as here:
        talk = await here.talk()
        written = here.chatwoot.agent.writes(talk, "hi")
        await here.until_sent(1)
        await here.ack(here.waha.sent[0]["_id"], 3)
        await here.until(lambda: written.status == "read")
        here.chatwoot.chance = lambda _: Fault(reply=Reply(status=502))
        await here.comes("new", "19990000001@c.us")
        rows = (await here.gateway.ask("GET", "/api/jobs?connector=chatwoot"))["data"]
        shown = {row["event"]: row["id"] for row in rows if row["target"].startswith("in/")}
        [new] = [row["id"] for row in rows if (row["event"], row["content"]) == ("message", "new")]
        async with browser(here.gateway) as http:
            page = (await http.get(f"/ui/deliveries/{new}")).text
            assert "/conversations/…/messages" in page
            tick = await http.get(f"/ui/deliveries/{shown['message.ack']}")
            assert (tick.status_code, "The request" in tick.text) == (200, False)
            assert (await http.get(f"/ui/deliveries/{shown['message.ack']}/request")).status_code == 404
            echo = await http.get(f"/ui/deliveries/{shown['message.any']}")
            assert (echo.status_code, "The request" in echo.text) == (200, False), "the agent's own message is there"


async def test_a_job_is_shown_as_its_worker_gets_it(running: Gateway) -> None:
    await running.post("hello")
    job = await running.ask("GET", "/queue/next-job")
    async with browser(running) as http:
        page = html.unescape((await http.get(f"/ui/deliveries/{job['job_id']}")).text)
        assert "GET /queue/next-job" in page
        assert "a worker takes the job" in page
        shown = msgspec.json.decode((await http.get(f"/ui/deliveries/{job['job_id']}/request")).content)
    assert shown == {name: job[name] for name in ("job_id", "payload")}


async def test_where_it_waits_is_said_and_leads_to_what_is_before_and_behind_it(
    running: Gateway, receiver: Sink
) -> None:
    hook = await running.register(receiver.url, name="Order bot")
    target = f"webhook:{hook['id']}"
    await running.ask("POST", f"/api/targets/{target}/pause")
    other = "+12025550119"
    for text, chat in (("old", other), ("one", CHAT), ("two", CHAT), ("three", CHAT), ("four", CHAT)):
        await running.post(text, chat=chat)
    ids = {text: (await running.event(hook, text, "pending"))["id"] for text in ("old", "one", "two", "three")}
    async with browser(running) as http:

        async def place(text: str) -> tuple[str, list[str]]:
            page = (await http.get(f"/ui/deliveries/{ids[text]}")).text
            found = page.partition('id="place">')[2].partition("</p>")[0]
            links = [html.unescape(each) for each in re.findall(r'href="([^"]+)"', found)]
            return re.sub("<[^>]+>", "", found), links

        said, links = await place("three")
        assert re.fullmatch(r"3rd in its chat; 2 before it, the first stored \d+ s ago; 1 behind it, the next\.", said)
        assert links[1] == f"/ui/deliveries/{ids['one']}"
        rows = (await http.get(links[0])).text
        assert [text in rows for text in ids.values()] == [False, True, True, True]
        behind = [links[0], f"/ui/deliveries/{ids['two']}"]
        assert await place("one") == ("1st in its chat; 3 behind it, the next.", behind)
        assert (await place("old"))[0] == "1st in its chat; none behind it."
        page = (await http.get(f"/ui/receivers/{target}")).text
        card = page.partition('id="chats"')[2].partition("</section>")[0]
        leads = [html.unescape(each) for each in re.findall(r'class="plain" href="([^"]+)"', card)]
        assert ("2 chats" in card, len(leads)) == (True, 2)
        assert [(await http.get(each)).text.count('name="id"') for each in leads] == [4, 1]
        oldest = html.unescape(re.findall(r'href="([^"]+chats=oldest)"', card)[0])
        card = (await http.get(oldest)).text.partition('id="chats"')[2].partition("</section>")[0]
        assert [html.unescape(each) for each in re.findall(r'class="plain" href="([^"]+)"', card)] == leads[::-1]
        await running.ask("POST", f"/api/targets/{target}/resume")
        await receiver.until_accepted(5)
        await running.event(hook, "three", "delivered")
        assert await place("three") == ("", [])
        await running.event(hook, "four", "delivered")
        assert "Waiting by chat" not in (await http.get(f"/ui/receivers/{target}")).text


def test_a_place_is_said_as_people_do() -> None:
    said = [words.ordinal(each) for each in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 1001)]
    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th", "1,001st"]
