"""Conversations on the dashboard, one test message at a time, and one message from end to end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.flow.dashboard import browser, fields_of, press
from tests.inprocess import CHAT, Gateway, running_gateway
from tests.sink import Sink, https_sink
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Fault, Reply, running

KEY = "waha-key"
HMAC = "the-hmac-key-of-this-waha"
OURS = "15550000001"
THREAD = "/ui/conversations/main/5511999999999%40c.us"
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Gateway, FakeWaha, Sink]]:
    """A gateway with the number ``main``, at a WAHA, and one receiver."""
    fake = FakeWaha(api_key=KEY)
    account = {
        "provider": "waha",
        "base_url": fake.url,
        "api_key": KEY,
        "phone": OURS,
        "media": "base64",
        "hmac_key": HMAC,
    }
    async with running(fake), https_sink() as sink:
        account["base_url"] = fake.url
        tables = {"delivery": {"allow_networks": ["127.0.0.0/8"]}, "accounts.main": account}
        async with running_gateway(tables, ca_file=sink.ca_file) as gateway:
            await gateway.register(sink.url, name="Order bot")
            yield gateway, fake, sink


async def hears(gateway: Gateway, text: str, **fields: object) -> str:
    """A customer writes to ``main``; the event's id."""
    await gateway.post(text, to=f"+{OURS}", **fields)
    said = await gateway.ask("GET", f"/api/conversations/{CHAT}/messages", params={"account": "main"})
    return str(said["data"][0]["id"])


@pytest.mark.parametrize("text", ["Is the rye loaf without seeds?", NASTY])
async def test_a_thread_is_looked_at_and_answered_with_one_test_message(text: str) -> None:
    async with talking() as (gateway, fake, _), browser(gateway) as http:
        await hears(gateway, text, contact_name=text)
        listed = (await http.get("/ui/conversations")).text
        assert f'href="{THREAD}"' in listed
        page = await http.get(THREAD)
        assert "from main (+15550000001)" in page.text
        assert "<script>alert" not in page.text + listed
        assert "<img src=x" not in page.text + listed
        sent = await press(http, THREAD, THREAD, text=text)
        assert "the provider accepted it" in sent.text
        assert [each["text"] for each in fake.sent] == [text]
        audit = (await http.get("/ui/audit")).text
        assert "test message" in audit
        assert "<script>alert" not in audit


async def test_pressing_twice_sends_once() -> None:
    async with talking() as (gateway, fake, _), browser(gateway) as http:
        await hears(gateway, "hello")
        form = fields_of(await http.get(THREAD)) | {"text": "Hi"}
        for _ in range(2):
            assert (await http.post(THREAD, data=form)).status_code == 303
        assert len(fake.sent) == 1


async def test_a_refused_message_says_why_and_keeps_what_was_typed() -> None:
    async with talking() as (gateway, fake, _), browser(gateway) as http:
        await hears(gateway, "hello")
        fake.fail(Fault(reply=Reply(status=400, body=b'{"message": "no such chat"}')))
        form = fields_of(await http.get(THREAD)) | {"text": "typed with care"}
        refused = await http.post(THREAD, data=form)
        assert refused.status_code == 422
        assert 'value="typed with care"' in refused.text
        assert "no such chat" in refused.text
        shown = (await http.get(THREAD)).text
        assert "not sent" in shown
        empty = await http.post(THREAD, data=fields_of(await http.get(THREAD)) | {"text": ""})
        assert empty.status_code == 422


async def test_a_message_is_followed_from_end_to_end() -> None:
    async with talking() as (gateway, _, sink), browser(gateway) as http:
        event_id = await hears(gateway, "hello")
        await sink.until(lambda each: len(each.got) >= 1)
        answer = await gateway.ask(
            "POST", "/messages/send", json={"to": CHAT, "message": {"text": "Hi"}, "account": "main"}
        )
        page = (await http.get(f"/ui/messages/{event_id}")).text
        for step in ("Came in on main", "To Order bot", "Answer by api", "Sent by main", "Answered after"):
            assert step in page, step
        sent = (await http.get(f"/ui/messages/{answer['id']}")).text
        assert "Submitted by api" in sent
        said = await gateway.ask("GET", f"/api/conversations/{CHAT}/messages", params={"account": "main"})
        assert (await http.get(f"/ui/messages/{said['data'][0]['id']}")).text.index("Submitted by api")
        assert "sent</span>" in (await http.get(THREAD)).text
        assert (await http.get("/ui/messages/nothing")).status_code == 404


async def test_an_answer_is_the_one_to_the_last_message_before_it() -> None:
    async with talking() as (gateway, _, _), browser(gateway) as http:
        first = await hears(gateway, "one")
        second = await hears(gateway, "two")
        await gateway.ask("POST", "/messages/send", json={"to": CHAT, "message": {"text": "Hi"}, "account": "main"})
        assert "Answer by api" not in (await http.get(f"/ui/messages/{first}")).text
        assert "Answer by api" in (await http.get(f"/ui/messages/{second}")).text


async def test_another_client_sees_no_conversation_and_no_message_of_ours() -> None:
    async with talking() as (gateway, fake, _):
        event_id = await hears(gateway, "a secret")
        sent = await gateway.ask(
            "POST", "/messages/send", json={"to": CHAT, "message": {"text": "Hi"}, "account": "main"}
        )
        token = (await gateway.client("other"))["token"]
        async with browser(gateway, token) as http:
            form = fields_of(await http.get("/ui/webhooks/new"))
            assert "5511999999999" not in (await http.get("/ui/conversations")).text
            for page in (THREAD, f"/ui/messages/{event_id}", f"/ui/messages/{sent['id']}"):
                assert (await http.get(page)).status_code == 404
            assert (await http.post(THREAD, data=form | {"text": "Hi"})).status_code == 404
        assert len(fake.sent) == 1


async def test_a_long_conversation_is_read_page_by_page() -> None:
    async with talking() as (gateway, _, _), browser(gateway) as http:
        for number in range(53):
            await gateway.post(f"message {number:02}", to=f"+{OURS}")
        newest = (await http.get(THREAD)).text
        assert ("message 52" in newest, "message 02" in newest) == (True, False)
        older = newest.split(f'href="{THREAD}?before=')[1].split('"')[0]
        page = (await http.get(f"{THREAD}?before={older}")).text
        assert ("message 52" in page, "message 02" in page) == (False, True)
        found = (await http.get("/ui/conversations", params={"find": CHAT})).text
        assert THREAD in found
        assert "No chat with" in (await http.get("/ui/conversations", params={"find": "+1 202 555 0142"})).text


async def test_pictures_are_pictures_of_ours_and_all_other_files_are_links() -> None:
    async with talking() as (gateway, _, _), browser(gateway) as http:
        for kind, name in (("image/png", "loaf.png"), ("image/svg+xml", "drawing.svg"), ("text/html", "page.html")):
            file = {"url": f"https://files.example.com/{name}", "mime_type": kind, "filename": name}
            sort = "image" if kind == "image/png" else "document"
            body = {"from": CHAT, "to": f"+{OURS}", "message": {sort: file}, "tenant_id": "default"}
            await gateway.ask("POST", "/webhook/inbound", 202, json=body)
        page = (await http.get(THREAD)).text
    assert re.findall(r'<img class="ph" src="(/media/[^"?]+)\?[^"]+" alt="([^"]+)"', page)[0][1] == "loaf.png"
    assert page.count("<img") == 1
    for name in ("drawing.svg", "page.html"):
        assert re.search(rf'<p><a href="/media/[^"]+">{name}</a></p>', page)


async def test_an_edited_message_says_so_and_a_deleted_one_is_not_shown() -> None:
    customer = "5511999999999@c.us"
    async with talking() as (gateway, fake, _), browser(gateway) as http:

        async def says(event: str, payload: dict[str, Any]) -> str:
            body, headers = fake.webhook(event, payload, key=HMAC)
            answer = await gateway.http.post("/webhooks/main", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            return (await http.get(THREAD)).text

        first = fake.incoming("frist", sender=customer)
        about = first["id"].split("_")[2]
        assert "frist" in await says("message", first)
        edited = await says("message.edited", fake.incoming("first", sender=customer) | {"editedMessageId": about})
        assert ("frist" in edited, ">first<" in edited, ">edited<" in edited) == (False, True, True)
        gone = {"before": None, "after": fake.incoming("", sender=customer), "revokedMessageId": about}
        deleted = await says("message.revoked", gone)
        assert (">first<" in deleted, ">deleted<" in deleted) == (False, True)
