"""Edges of the outside contract that one part alone does not show."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import trio

from tests.inprocess import CHAT, OURS, Gateway, running_gateway
from tests.sink import https_sink

Json = dict[str, Any]
KEY = {"Idempotency-Key": "order-1"}
INBOUND = "/webhook/inbound"
BODY = {"from": CHAT, "to": OURS, "message": "Hello", "tenant_id": "default"}
SILENT = {"accounts.silent": {"provider": "session"}}


async def test_a_job_answers_for_its_events_id_also_when_a_webhook_gets_the_event() -> None:
    async with https_sink(lambda _: 200) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        await gateway.register(sink.url)
        job_id = (await gateway.post("one"))["job_id"]
        event_id = (await gateway.ask("GET", f"/api/jobs/{job_id}"))["event_id"]
        assert event_id != job_id
        by_event = await gateway.ask("GET", f"/queue/job/{event_id}")
        assert by_event == await gateway.ask("GET", f"/queue/job/{job_id}")
        assert (await gateway.ask("GET", f"/api/jobs/{event_id}"))["id"] == job_id
        taken = await gateway.ask("GET", "/queue/next-job")
        done = {"status": "completed", "lease_id": taken["lease_id"]}
        assert (await gateway.ask("PATCH", f"/queue/job/{event_id}", json=done))["status"] == "completed"


async def test_a_push_delivery_is_no_job() -> None:
    async with https_sink(lambda _: 200) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        await gateway.post("one")
        [event] = await gateway.events(hook)
        assert (await gateway.ask("GET", f"/queue/job/{event['id']}", 404))["detail"] == "no such job"


async def test_inbound_with_an_idempotency_key_makes_one_event() -> None:
    async with running_gateway() as gateway:
        first = await gateway.http.post(INBOUND, json=BODY, headers=KEY)
        again = await gateway.http.post(INBOUND, json=BODY, headers=KEY)
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.content == first.content
        assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
        other = await gateway.http.post(INBOUND, json=BODY | {"message": "Hi"}, headers=KEY)
        assert (other.status_code, other.json()["errors"][0]["field"]) == (409, "Idempotency-Key")
        assert (await gateway.http.post(INBOUND, json=BODY, headers={"Idempotency-Key": "a" * 256})).status_code == 400
        jobs = await gateway.ask("GET", "/api/jobs", params={"connector": "n8n"})
        assert [each["id"] for each in jobs["data"]] == [first.json()["job_id"]]


async def test_a_key_at_inbound_is_its_clients_own_and_a_refusal_leaves_it_free() -> None:
    async with running_gateway() as gateway:
        acme = {"Authorization": f"Bearer {(await gateway.client('acme'))['token']}"}
        body = {"from": CHAT, "to": OURS, "message": "Hello"}
        refused = await gateway.http.post(INBOUND, json={"from": CHAT}, headers=KEY | acme)
        assert refused.status_code == 400
        mine = await gateway.http.post(INBOUND, json=body, headers=KEY | acme)
        admins = await gateway.http.post(INBOUND, json=BODY, headers=KEY)
        assert (mine.status_code, admins.status_code) == (202, 202)
        assert mine.json()["job_id"] != admins.json()["job_id"]
        stranger = {"Authorization": "Bearer nobody"}
        assert (await gateway.http.post(INBOUND, json=body, headers=KEY | stranger)).status_code == 401


async def test_twins_at_inbound_at_the_same_time_make_one_event() -> None:
    async with running_gateway() as gateway, trio.open_nursery() as nursery:
        answers: list[httpx2.Response] = []

        async def post() -> None:
            answers.append(await gateway.http.post(INBOUND, json=BODY, headers=KEY))

        for _ in range(4):
            nursery.start_soon(post)
        await gateway.until(lambda: _all(answers, 4))
        taken = [each for each in answers if each.status_code == 202]
        assert len({each.content for each in taken}) == 1
        twins = [each for each in answers if each.status_code != 202]
        assert all((each.status_code, each.headers["retry-after"]) == (409, "1") for each in twins)
        assert len((await gateway.ask("GET", "/api/jobs", params={"connector": "n8n"}))["data"]) == 1


async def _all(answers: list[httpx2.Response], count: int) -> bool:
    return len(answers) == count


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"whatsapp_provider": "nope", "provider_config": {}}, "whatsapp_provider"),
        ({"providers": [{"whatsapp_provider": "nope", "provider_config": {}}]}, "providers[0].whatsapp_provider"),
    ],
)
async def test_a_tenants_unknown_provider_is_named_by_the_bodys_field(body: Json, field: str) -> None:
    async with running_gateway() as gateway:
        answer = await gateway.ask("PUT", "/routes/tenants/default/whatsapp-settings", 422, json=body)
        assert [each["field"] for each in answer["errors"]] == [field]


async def test_a_session_that_only_receives_has_no_qr_code_before_its_engine_posts_one() -> None:
    async with running_gateway(SILENT) as gateway:
        answer = await gateway.ask("GET", "/api/silent/auth/qr", 422)
        assert "there is no QR code to scan" in answer["detail"]
        qr = {"event": "qr", "data": {"qr": "2@abc"}}
        await gateway.ask("POST", "/api/whatsapp/webhook/silent", json=qr)
        assert await gateway.ask("GET", "/api/silent/auth/qr", params={"format": "raw"}) == {"value": "2@abc"}


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "https://10.1.2.3/a.png", "http://[::1]:9/a.png"])
async def test_a_files_url_given_by_api_must_not_lead_into_the_network(url: str) -> None:
    async with running_gateway(SILENT) as gateway:
        message = {"to": CHAT, "account": "silent", "message": {"image": {"link": url}}}
        answer = await gateway.ask("POST", "/messages/send", 422, json=message)
        assert [each["field"] for each in answer["errors"]] == ["message.image.link"]
        assert answer["detail"].startswith("Address not allowed")
        as_waha = {"session": "silent", "chatId": CHAT, "file": {"url": url, "mimetype": "image/png"}}
        answer = await gateway.ask("POST", "/api/sendImage", 422, json=as_waha)
        assert [each["field"] for each in answer["errors"]] == ["file.url"]
        assert (await gateway.ask("GET", "/messages"))["data"] == []


async def test_a_link_to_a_file_that_the_gateway_holds_may_be_sent_wherever_it_is() -> None:
    tables = {**SILENT, "server": {"port": 0, "public_url": "http://10.0.0.5:8080"}}
    async with running_gateway(tables) as gateway:
        posted = await gateway.http.post("/api/media", files={"file": ("a.txt", b"hello", "text/plain")})
        assert posted.json()["url"].startswith("http://10.0.0.5:8080/media/")
        for url, told in ((posted.json()["url"], "only receives"), ("http://10.0.0.5:8080/x", "Address not allowed")):
            message = {"to": CHAT, "account": "silent", "message": {"document": {"link": url}}}
            assert told in (await gateway.ask("POST", "/messages/send", 422, json=message))["detail"]


async def test_each_session_has_its_own_share_of_the_intakes_limit() -> None:
    async with running_gateway({**SILENT, "limits": {"intake": "2/hour", "api": "off"}}) as gateway:
        assert [await _ready(gateway, "silent") for _ in range(3)] == [200, 200, 429]
        assert await _ready(gateway, "other") == 200


async def _ready(gateway: Gateway, session: str) -> int:
    answer = await gateway.http.post(f"/api/whatsapp/webhook/{session}", json={"event": "ready", "data": {}})
    return answer.status_code
