"""Infobip in a whole gateway: its webhooks come in, messages go out through it, its reports come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.infobip_document import strict_infobip
from tests.inprocess import Gateway, running_gateway
from tests.sink import https_sink
from wagate.testing.providers.infobip import (
    NOT_DELIVERED,
    TO_OPERATOR,
    FakeInfobip,
    by_hmac,
    by_password,
    failed,
    fake_infobip,
)
from wagate.testing.server import Fault

DOOR = "/webhooks/main"
SECRET = "hmac-secret-of-the-test"
BASIC = {"webhook_username": "infobip", "webhook_password": "sesame"}
HMAC = {"hmac_secret": SECRET, "hmac_header": "X-Signature"}
THEM = "5511988880001"


@asynccontextmanager
async def gateway(fake: FakeInfobip, *, ca_file: Path | None = None, **tables: Any) -> AsyncIterator[Gateway]:
    async with fake_infobip(fake):
        account = {"provider": "infobip", "api_key": fake.api_key, "base_url": fake.url, "sender": fake.sender}
        given = {"accounts.main": account | BASIC | HMAC, "plugins.n8n": {}, "plugins.webhook": {}, **tables}
        async with running_gateway(given, ca_file=ca_file) as found:
            yield found


async def post(
    found: Gateway, document: Any, headers: Mapping[str, str] | None = None, expected: int = 200, path: str = DOOR
) -> Any:
    shown = by_password("infobip", "sesame") if headers is None else {"Authorization": "", **headers}
    answer = await found.http.post(path, content=msgspec.json.encode(document), headers=shown)
    assert answer.status_code == expected, answer.text
    return answer


async def stored(found: Gateway) -> list[dict[str, Any]]:
    jobs = await found.ask("GET", "/api/jobs", params={"limit": 200, "connector": "n8n"})
    return list(reversed(jobs["data"]))


async def send(found: Gateway, expected: int = 200, **more: Any) -> dict[str, Any]:
    body = {"account": "main", "to": f"+{THEM}", "message": {"text": "Hello"}} | more
    return await found.ask("POST", "/messages/send", expected, json=body)


async def status(found: Gateway, sent: Mapping[str, Any]) -> str:
    row = await found.ask("GET", f"/messages/{sent['id']}")
    return str(row["status"])


async def test_a_webhook_with_the_right_password_reaches_a_receiver() -> None:
    fake = strict_infobip()
    async with https_sink() as sink, gateway(fake, ca_file=sink.ca_file) as found:
        await found.register(sink.url)
        await post(found, fake.incoming({"type": "TEXT", "text": "one"}, {"type": "TEXT", "text": "two"}))
        await sink.until_accepted(2)
    bodies = [(got.json["content"], got.json["from"], got.json["to"], got.json["session"]) for got in sink.accepted]
    assert bodies == [(text, THEM, fake.sender, "main") for text in ("one", "two")]


async def test_a_webhook_that_shows_nothing_right_is_401_and_nothing_is_stored() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        document = fake.incoming({"type": "TEXT", "text": "one"})
        body = msgspec.json.encode(document)
        await post(found, document, {}, 401)
        await post(found, document, by_password("infobip", "other"), 401)
        await post(found, document, by_hmac("X-Signature", "other", body), 401)
        assert await stored(found) == []
        await post(found, document, by_hmac("X-Signature", SECRET, body))
        await post(found, document)
        assert len(await stored(found)) == 1


async def test_a_bad_item_costs_no_other() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        good = [fake.item({"type": "TEXT", "text": text}) for text in ("one", "two")]
        await post(found, {"results": [good[0], "rubbish", good[1]]})
        assert [job["content"] for job in await stored(found)] == ["one", "two"]


async def test_a_message_goes_out_and_its_reports_move_it_on_never_back() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        sent = await send(found)
        assert (sent["status"], sent["provider"], sent["message_id"]) == ("sent", "infobip", sent["id"])
        [body] = fake.messages.values()
        assert (body["to"], body["content"]) == (THEM, {"text": "Hello"})
        steps = [
            (fake.delivery(sent["id"], TO_OPERATOR), "sent"),
            (fake.delivery(sent["id"]), "delivered"),
            (fake.seen(sent["id"]), "read"),
            (fake.delivery(sent["id"]), "read"),
        ]
        for report, word in steps:
            await post(found, report)
            assert await status(found, sent) == word


async def test_a_closed_window_fails_the_message_with_the_reason() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        sent = await send(found)
        error = {"id": 7010, "name": "EC_NO_SESSION", "description": "Session has expired", "permanent": True}
        await post(found, fake.delivery(sent["id"], NOT_DELIVERED, error))
        row = await found.ask("GET", f"/messages/{sent['id']}")
        assert (row["status"], row["error_code"]) == ("failed", "7010")
        assert "24 h window" in row["error"]


async def test_an_answer_that_never_came_is_asked_for_again_and_the_phone_rings_once() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        fake.server.fail(Fault(accept=True, drop=True, path="/whatsapp/1/message"))
        answer = await found.http.post(
            "/messages/send",
            json={"account": "main", "to": f"+{THEM}", "message": {"text": "Hello"}},
            headers={"Prefer": "respond-async"},
        )
        sent = answer.json()
        await fake.server.until(lambda: bool(fake.server.seen))
        await found.passes_until(lambda: len(fake.server.seen) >= 2, step=5, most=60)

        async def there() -> bool:
            return await status(found, sent) == "sent"

        await found.until(there)
        assert list(fake.messages) == [sent["id"]]


async def test_a_wrong_key_stops_the_account_and_the_message_waits_for_the_right_one() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        fake.server.fail(Fault(reply=failed(401, "UNAUTHORIZED", "Invalid login details")))
        answer = await found.http.post(
            "/messages/send",
            json={"account": "main", "to": f"+{THEM}", "message": {"text": "Hello"}},
            headers={"Prefer": "respond-async"},
        )
        await fake.server.until(lambda: bool(fake.server.seen))
        await found.passes_until(lambda: bool(fake.messages), step=10, most=600)
        assert list(fake.messages) == [answer.json()["id"]]


SETTINGS = "/routes/tenants/whappstream/whatsapp-settings"


async def test_the_specifications_story_from_the_tenants_settings_to_the_answer() -> None:
    fake = strict_infobip()
    tables = {
        "delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]},
        "server": {"public_url": "https://gate.example"},
    }
    async with gateway(fake, **tables) as found:
        await found.client("whappstream")
        config = {
            "api_key": fake.api_key,
            "api_secret": "unused",
            "phone_number_id": fake.sender,
            "webhook_verify_token": "verify-token-of-the-tenant",
            "base_url": fake.url,
        }
        body = {"tenant_id": "whappstream", "whatsapp_provider": "infobip", "provider_config": config}
        await found.ask("PUT", SETTINGS, json=body)
        shown = (await found.http.get(SETTINGS)).text
        assert fake.api_key not in shown
        assert "verify-token-of-the-tenant" not in shown

        bearer = {"Authorization": "Bearer verify-token-of-the-tenant"}
        question = fake.incoming({"type": "TEXT", "text": "Hello, I need help with my order"}, name="John Doe")
        await post(found, question, bearer, path="/webhooks/whappstream")
        job = await found.ask("GET", "/queue/next-job", params={"tenant_id": "whappstream", "wait": 30})
        assert job["payload"]["message"] == "Hello, I need help with my order"
        assert (job["payload"]["from"], job["payload"]["contact_name"]) == (f"+{THEM}", "John Doe")

        asked = question["results"][0]["messageId"]
        answer = {
            "to": job["payload"]["from"],
            "message": {"text": "Thank you for your inquiry! Your order #12345 is being processed."},
            "tenant_id": "whappstream",
            "reply_to_message_id": asked,
            "job_id": job["job_id"],
        }
        sent = await found.ask("POST", "/messages/send", json=answer)
        assert (sent["status"], sent["delivery_status"], sent["provider"]) == ("sent", "dispatched", "infobip")
        [body] = fake.messages.values()
        assert body["content"]["text"] == answer["message"]["text"]
        assert body["context"] == {"replyToMessageId": asked}
        assert body["notifyUrl"].startswith("https://gate.example/webhooks/whappstream?token=")

        done = await found.ask("GET", f"/queue/job/{job['job_id']}")
        assert done["status"] == "completed"
        assert done["result"]["message_sent"] is True
        assert done["result"]["response_message_id"] == sent["message_id"]
        token = body["notifyUrl"].partition("?")[2]
        await post(found, fake.delivery(sent["message_id"]), {}, path=f"/webhooks/whappstream?{token}")
        assert await status(found, sent) == "delivered"


async def test_a_text_that_is_too_long_for_one_message_goes_as_several() -> None:
    fake = FakeInfobip()
    async with gateway(fake) as found:
        sent = await send(found, message={"text": "word " * 1000 + "end"})
        texts = [each["content"]["text"] for each in fake.messages.values()]
        assert " ".join(texts) == "word " * 1000 + "end"
        assert list(fake.messages) == sent["parts"]
        assert all(len(each) <= 4096 for each in texts)


async def test_a_refusal_is_told_with_code_and_reason() -> None:
    fake = strict_infobip()
    async with gateway(fake) as found:
        own = {"name": "x", "language": {"code": "en"}, "templateData": {"buttons": []}}
        refused = await send(found, 422, message={"template": own})
        assert refused["code"] == "BAD_REQUEST"
        assert "templateData.body is required" in refused["detail"]
