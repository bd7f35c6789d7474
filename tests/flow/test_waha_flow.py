"""WAHA in a whole gateway: its webhooks come in, signed; messages go out through it and their acks come back."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.inprocess import Gateway, running_gateway
from tests.sink import https_sink
from wagate.testing.providers.waha import Engine, FakeWaha
from wagate.testing.server import Fault, Reply, running

KEY = "hmac key of the test"
DOOR = "/webhooks/main"
THEM = "19990000000@c.us"


@asynccontextmanager
async def gateway(fake: FakeWaha, *, ca_file: Path | None = None, **tables: Any) -> AsyncIterator[Gateway]:
    async with running(fake):
        account = {"provider": "waha", "base_url": fake.url, "api_key": "k", "hmac_key": KEY}
        given = {"accounts.main": account, "plugins.n8n": {}, "plugins.webhook": {}, **tables}
        async with running_gateway(given, ca_file=ca_file) as found:
            yield found


async def post(found: Gateway, webhook: tuple[bytes, Mapping[str, str]], expected: int = 200, path: str = DOOR) -> Any:
    body, headers = webhook
    answer = await found.http.post(path, content=body, headers={**headers, "Authorization": ""})
    assert answer.status_code == expected, answer.text
    return answer


async def stored(found: Gateway) -> list[dict[str, Any]]:
    jobs = await found.ask("GET", "/api/jobs", params={"limit": 200, "connector": "n8n"})
    return list(reversed(jobs["data"]))


async def test_a_signed_webhook_is_stored_once_under_both_of_its_names() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        payload = fake.incoming("hello")
        for name in ("message", "message.any", "message"):
            await post(found, fake.webhook(name, payload, key=KEY))
        [job] = await stored(found)
    assert (job["account"], job["content"], job["message_id"]) == ("main", "hello", payload["id"])


async def test_a_wrong_hmac_and_a_body_written_anew_are_401_and_nothing_is_stored() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        payload = fake.incoming("olá")
        await post(found, fake.webhook("message", payload, key="another key"), 401)
        await post(found, fake.webhook("message", payload), 401)
        body, headers = fake.webhook("message", payload, key=KEY)
        await post(found, (json.dumps(json.loads(body)).encode(), headers), 401)
        assert await stored(found) == []
        await post(found, (body, headers))
        assert len(await stored(found)) == 1


async def test_the_sessions_state_follows_wahas() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        for word, status in (("SCAN_QR_CODE", "qr_generated"), ("WORKING", "session_connected")):
            await post(found, fake.webhook("session.status", {"name": "default", "status": word}, key=KEY))
            state = await found.ask("GET", "/api/whatsapp/session/status/main")
            assert (state["data"]["status"], state["data"]["qr"], state["data"]["needsQR"]) == (status, None, False)


async def test_one_webhook_of_wahas_carries_the_events_of_all_its_sessions() -> None:
    fake = FakeWaha(api_key="k")
    sales = {"provider": "waha", "base_url": "http://127.0.0.1:9", "session": "sales", "hmac_key": "own"}
    async with gateway(fake, **{"accounts.sales": sales}) as found:
        await post(found, fake.webhook("message", fake.incoming("to sales"), key=KEY, session="sales"))
        await post(found, fake.webhook("message", fake.incoming("to main"), key=KEY))
        assert [(job["account"], job["content"]) for job in await stored(found)] == [
            ("sales", "to sales"),
            ("main", "to main"),
        ]


async def test_a_session_without_an_account_changes_nothing_of_ours() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        await post(found, fake.webhook("session.status", {"status": "WORKING"}, key=KEY))
        await post(found, fake.webhook("session.status", {"status": "FAILED"}, key=KEY, session="other"))
        state = await found.ask("GET", "/api/whatsapp/session/status/main")
        assert state["data"]["status"] == "session_connected"


async def send(found: Gateway, expected: int = 200, **message: Any) -> dict[str, Any]:
    body = {"account": "main", "to": THEM, "message": {"type": "text", "text": "hi"}} | message
    return await found.ask("POST", "/messages/send", expected, json=body)


def ack(fake: FakeWaha, message_id: str, ack: int) -> tuple[bytes, dict[str, str]]:
    payload = {"id": message_id, "from": THEM, "fromMe": True, "participant": None, "ack": ack}
    return fake.webhook("message.ack", payload, key=KEY)


def echo(fake: FakeWaha, message_id: str, *, name: str = "message.any", **payload: Any) -> tuple[bytes, dict[str, str]]:
    own = fake.incoming("hi", sender=THEM) | {"id": message_id, "fromMe": True, "source": "api"} | payload
    return fake.webhook(name, own, key=KEY)


async def test_a_message_from_its_webhook_reaches_a_receiver() -> None:
    fake = FakeWaha(api_key="k")
    async with https_sink() as sink, gateway(fake, ca_file=sink.ca_file) as found:
        await found.register(sink.url)
        for text in ("one", "two"):
            await post(found, fake.webhook("message", fake.incoming(text), key=KEY))
        await sink.until_accepted(2)
    assert [(got.json["content"], got.json["from"], got.json["session"]) for got in sink.accepted] == [
        ("one", "19990000000", "main"),
        ("two", "19990000000", "main"),
    ]


@pytest.mark.parametrize("engine", ["GOWS", "NOWEB", "WEBJS"])
async def test_a_message_goes_out_and_its_acks_move_it_on(engine: Engine) -> None:
    fake = FakeWaha(api_key="k", engine=engine)
    async with gateway(fake) as found:
        sent = await send(found)
        assert sent["message_id"] == fake.sent[0]["_id"]
        for number, status in ((1, "sent"), (2, "delivered"), (3, "read"), (2, "read")):
            await post(found, ack(fake, sent["message_id"], number))
            assert (await found.ask("GET", f"/messages/{sent['id']}"))["status"] == status


async def test_the_echo_of_our_message_is_the_same_event_whichever_comes_first() -> None:
    fake = FakeWaha(api_key="k")
    async with https_sink() as sink, gateway(fake, ca_file=sink.ca_file) as found:
        await found.register(sink.url, events=["message.any"])
        first = await send(found)
        lid = {"_data": {"Info": {"Chat": "4444@lid", "RecipientAlt": "19990000000@s.whatsapp.net"}}}
        await post(found, echo(fake, first["message_id"]))
        await post(found, echo(fake, first["message_id"].replace(THEM, "4444@lid"), **lid))
        assert len(fake.sent) == 1
        early = f"true_{THEM}_3EB0{int(first['message_id'][-16:]) + 4:016d}"
        await post(found, echo(fake, early))
        await sink.until_accepted(2)
        assert [got.json["message_id"] for got in sink.accepted] == [first["message_id"], early]


async def test_a_session_that_is_not_working_holds_the_message_and_sends_it_once() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        fake.statuses["default"] = "STARTING"
        answer = await found.http.post(
            "/messages/send",
            json={"account": "main", "to": THEM, "message": {"type": "text", "text": "hi"}},
            headers={"Prefer": "respond-async"},
        )
        assert answer.status_code == 202
        await fake.until(lambda: any(seen.path == "/api/sendText" for seen in fake.seen))
        fake.statuses["default"] = "WORKING"
        await found.passes_until(lambda: bool(fake.sent), step=5, most=60)
        row = await found.ask("GET", f"/messages/{answer.json()['id']}")
        assert row["message_id"] in {None, fake.sent[0]["_id"]}
        assert len(fake.sent) == 1


async def test_a_500_after_sending_is_unknown_and_never_sent_again() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        fake.fail(Fault(reply=Reply(status=500, json={"request": {"body": "secret"}}), accept=True, path="/api/send"))
        answer = await send(found, 202)
        assert answer["status"] == "unknown"
        assert "secret" not in json.dumps(answer)
        assert len(fake.sent) == 1
        rows = (await found.ask("GET", "/messages"))["data"]
        assert [row["status"] for row in rows] == ["unknown"]
        await found.passes(600, step=60)
        assert len(fake.sent) == 1


async def test_wahas_own_verbs_lead_to_waha() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        body = {"session": "main", "chatId": THEM, "text": "hi", "reply_to": f"false_{THEM}_AA"}
        sent = await found.ask("POST", "/api/sendText", 201, json=body)
        await found.ask("POST", "/api/startTyping", 201, json={"session": "main", "chatId": THEM})
        theirs = f"/api/main/chats/{THEM}/messages"
        for name in (sent["id"], f"true_{THEM}_{sent['_data']['id']}"):
            await found.ask("DELETE", f"{theirs}/{name}")
        problem = await found.ask("DELETE", f"{theirs}/true_{THEM}_AA", 404)
        await found.ask("DELETE", f"/messages/{sent['_data']['id']}", 204)
    assert sent["id"] == fake.sent[0]["_id"]
    assert fake.sent[0]["reply_to"] == f"false_{THEM}_AA"
    assert fake.signals == [("/api/startTyping", THEM)]
    assert fake.revoked == [(THEM, sent["id"])] * 3
    assert (problem["statusCode"], problem["message"]) == (404, "no message that we sent has this id")


async def test_what_was_missed_comes_in_order_once_the_gateway_is_up_and_only_once() -> None:
    fake = FakeWaha(api_key="k")
    now = int(time.time())
    fake.chats[THEM] = [
        fake.incoming(text, bare=text) | {"timestamp": now - age}
        for text, age in (("two", 10), ("one", 20), ("old", 9e5))
    ]
    async with gateway(fake) as found:

        async def there() -> bool:
            return len(await stored(found)) == 2

        await found.until(there)
        await post(found, fake.webhook("message", fake.chats[THEM][0], key=KEY))
        assert [job["content"] for job in await stored(found)] == ["one", "two"]


async def test_the_qr_code_that_only_waha_has_is_shown() -> None:
    fake = FakeWaha(api_key="k")
    fake.statuses["default"] = "SCAN_QR_CODE"
    async with gateway(fake) as found:
        await post(found, fake.webhook("session.status", {"name": "default", "status": "SCAN_QR_CODE"}, key=KEY))
        raw = await found.ask("GET", "/api/main/auth/qr", params={"format": "raw"})
        fake.api_key = "another"
        refused = await found.ask("GET", "/api/main/auth/qr", 502)
    assert raw == {"value": fake.qr}
    assert "compare api_key" in refused["detail"]
