"""Webhooks through the whole gateway: from the door to an https receiver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import trio
from standardwebhooks import Webhook, WebhookVerificationError

from tests.shared_gateway import Tenant
from tests.sink import Got, Sink, https_sink
from wagate.http.signing import new_secret

LATER = (500, {"retry-after": "600"})
"""A failure whose next try does not come by itself while the test looks."""


async def register(server: httpx2.AsyncClient, url: str, expected: int = 201, **fields: Any) -> dict[str, Any]:
    body = {"phone_number": "*", "webhook_url": url} | fields
    return await ask(server, "POST", "/register", expected, json=body)


async def ask(
    server: httpx2.AsyncClient, method: str, path: str, expected: int = 200, **options: Any
) -> dict[str, Any]:
    response = await server.request(method, f"/api/webhooks{path}", **options)
    assert response.status_code == expected, response.text
    found: dict[str, Any] = response.json() if response.content else {}
    return found


async def post(server: httpx2.AsyncClient, message_id: str, *, chat: str = "+5511999999999", **fields: Any) -> None:
    body = {"from": chat, "to": "+5511888888888", "message": message_id, "message_id": message_id}
    answer = await server.post("/webhook/inbound", json=body | fields)
    assert answer.status_code in {200, 202}, answer.text


async def events(
    server: httpx2.AsyncClient, webhook: dict[str, Any], *statuses: str, tried: int = 0
) -> list[dict[str, Any]]:
    """The webhook's events, oldest first, as soon as their statuses are these and the first was tried so often."""
    with trio.fail_after(60):
        while True:
            rows = (await ask(server, "GET", f"/{webhook['id']}/events"))["data"][::-1]
            if [row["status"] for row in rows] == list(statuses) and rows[0]["attempt_count"] >= tried:
                return rows
            await trio.sleep(0.05)


def contents(sink: Sink) -> list[str]:
    return [got.json["content"] for got in sink.accepted]


async def test_a_message_arrives_exactly_once_and_its_signature_holds(
    server: httpx2.AsyncClient, tenant: Tenant
) -> None:
    async with https_sink() as sink:
        webhook = await register(server, sink.url, headers={"X-Team": "crm"})
        for _ in range(3):
            await post(server, "wamid.1", message={"text": "Olá"}, timestamp="2025-11-05T14:23:00Z")
        await post(server, "wamid.2")
        await sink.until_accepted(2)
        rows = await events(server, webhook, "delivered", "delivered")
        shown = await ask(server, "GET", f"/{webhook['id']}")
    first, _ = sink.got
    Webhook(webhook["secret"]).verify(first.body, first.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(first.body, first.headers)
    assert {name: first.json[name] for name in ("client_id", "message_id", "from", "to", "timestamp")} == {
        "client_id": tenant.id,
        "message_id": "wamid.1",
        "from": "5511999999999",
        "to": "5511888888888",
        "timestamp": "2025-11-05T14:23:00Z",
    }
    assert (first.json["type"], first.json["content"]) == ("text", "Olá")
    assert (first.headers["x-team"], first.headers["content-type"]) == ("crm", "application/json")
    assert first.headers["user-agent"].startswith("wagate/")
    assert first.id == first.json["event_id"] == rows[0]["id"]
    assert rows[0]["payload"] == first.json
    assert (rows[0]["http_status"], rows[0]["response"], len(rows[0]["attempts"])) == (200, "ok", 1)
    assert shown["failure_count"] == 0
    assert shown["last_success_at"] is not None


async def test_during_a_rotation_both_secrets_verify(server: httpx2.AsyncClient) -> None:
    async with https_sink() as sink:
        webhook = await register(server, sink.url)
        rotated = await ask(server, "POST", f"/{webhook['id']}/rotate-secret")
        await post(server, "wamid.1")
        await sink.until_accepted(1)
    [got] = sink.got
    assert rotated["secret"] != webhook["secret"]
    for secret in (webhook["secret"], rotated["secret"]):
        Webhook(secret).verify(got.body, got.headers)


@pytest.mark.parametrize(
    ("status", "error", "disabled"),
    [
        (301, "Redirect (301) not followed", False),
        (404, "Client error (404)", False),
        (410, "Client error (410)", True),
    ],
)
async def test_what_the_receiver_refuses_is_final_and_replayed_by_hand(
    status: int, error: str, disabled: bool, server: httpx2.AsyncClient
) -> None:
    answers = [status]

    def script(_: Got) -> tuple[int, dict[str, str]]:
        return (answers.pop(), {"location": "/elsewhere"}) if answers else (200, {})

    async with https_sink(script) as sink:
        webhook = await register(server, sink.url)
        await post(server, "wamid.1")
        [row] = await events(server, webhook, "failed")
        assert (row["error"], row["http_status"], row["next_retry_at"], row["attempt_count"]) == (
            error,
            status,
            None,
            1,
        )
        shown = await ask(server, "GET", f"/{webhook['id']}")
        assert (shown["status"], shown["failure_count"]) == ("disabled" if disabled else "failed", 1)
        assert shown["is_active"] is not disabled
        assert shown["last_error"] == error
        if disabled:
            await ask(server, "POST", f"/{webhook['id']}/toggle")
        assert (await ask(server, "POST", f"/{webhook['id']}/recover", 202))["recovered"] == 1
        await sink.until_accepted(1)
        await events(server, webhook, "delivered")
        shown = await ask(server, "GET", f"/{webhook['id']}")
        assert (shown["status"], shown["failure_count"]) == ("active", 0)
        assert {got.path for got in sink.got} == {"/hook"}
        assert len({got.id for got in sink.got}) == 1
        assert len({got.body for got in sink.got}) == 1


async def test_a_server_error_is_tried_again_and_by_hand_at_once(server: httpx2.AsyncClient) -> None:
    answers = [LATER]
    async with https_sink(lambda _: answers.pop() if answers else 200) as sink:
        webhook = await register(server, sink.url)
        await post(server, "wamid.1")
        await sink.until(lambda sink: len(sink.got) >= 1)
        [row] = await events(server, webhook, "pending", tried=1)
        assert (row["error"], row["http_status"], row["attempt_count"]) == ("Server error (500)", 500, 1)
        waits = datetime.fromisoformat(row["next_retry_at"]) - datetime.now(UTC)
        assert waits > timedelta(minutes=9)
        await ask(server, "POST", f"/events/{row['id']}/retry")
        await sink.until_accepted(1, 60)
        [row] = await events(server, webhook, "delivered")
        assert [attempt["http_status"] for attempt in row["attempts"]] == [500, 200]
        await ask(server, "POST", f"/events/{row['id']}/retry", 409)


async def test_what_waits_while_it_is_off_arrives_in_order_when_it_is_on(server: httpx2.AsyncClient) -> None:
    down = True
    async with https_sink(lambda _: LATER if down else 200) as sink:
        webhook = await register(server, sink.url)
        await post(server, "a")
        await post(server, "b")
        await sink.until(lambda sink: len(sink.got) >= 1)
        rows = await events(server, webhook, "pending", "pending", tried=1)
        await ask(server, "PATCH", f"/{webhook['id']}", json={"is_active": False})
        down = False
        await ask(server, "POST", f"/events/{rows[0]['id']}/retry")
        await ask(server, "POST", f"/{webhook['id']}/test", 409)
        await post(server, "not routed: it is off")
        assert len(sink.got) == 1
        await ask(server, "PATCH", f"/{webhook['id']}", json={"is_active": True})
        await sink.until_accepted(2)
    assert contents(sink) == ["a", "b"]


async def test_deleting_cancels_what_waits(server: httpx2.AsyncClient) -> None:
    async with https_sink(lambda _: LATER) as sink:
        webhook = await register(server, sink.url)
        await post(server, "a")
        await post(server, "b")
        await sink.until(lambda sink: len(sink.got) >= 1)
        rows = await events(server, webhook, "pending", "pending", tried=1)
        await ask(server, "DELETE", f"/{webhook['id']}", 204)
        await ask(server, "GET", f"/{webhook['id']}", 404)
        await ask(server, "POST", f"/events/{rows[0]['id']}/retry", 404)
        jobs = (await server.get("/api/jobs?connector=webhook")).json()["data"]
        assert {job["status"] for job in jobs} == {"cancelled"}
        assert len(jobs) == 2


async def test_several_webhooks_each_get_what_they_asked_for(server: httpx2.AsyncClient) -> None:
    async with https_sink() as sink:
        base = sink.url.removesuffix("/hook")
        await register(server, f"{base}/number", phone_number="+55 11 88888-8888")
        await register(server, f"{base}/other", phone_number="15550000000")
        await register(server, f"{base}/reactions", name="r", events=["message.reaction"], format="standard")
        await register(server, f"{base}/all", name="a", events=["*"], format="waha")
        tested = await register(server, f"{base}/tested", name="t", phone_number="15550000000")
        await post(server, "wamid.1")
        await post(server, "wamid.2", message={"reaction": {"emoji": "👍", "message_id": "wamid.1"}})
        answer = await ask(server, "POST", f"/{tested['id']}/test", 202)
        await sink.until_accepted(5)
    got = {(each.path, each.json.get("event") or each.json["type"]): each for each in sink.accepted}
    assert set(got) == {
        ("/number", "message"),
        ("/reactions", "message.reaction"),
        ("/all", "message"),
        ("/all", "message.reaction"),
        ("/tested", "webhook.test"),
    }
    assert got["/reactions", "message.reaction"].json["data"]["reaction"] == {
        "text": "👍",
        "messageId": "wamid.1",
        "id": "wamid.2",
    }
    waha = got["/all", "message"]
    assert waha.json["payload"]["body"] == "wamid.1"
    assert waha.headers["x-webhook-hmac-algorithm"] == "sha512"
    assert got["/tested", "webhook.test"].id == answer["event_id"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://0xa000001/hook",
        "https://metadata.google.internal/",
        "https://no-such-name.invalid/",
        "https://user:pass@example.com/",
        "javascript:alert(1)",
    ],
)
async def test_a_url_that_is_not_public_https_is_refused(url: str, server: httpx2.AsyncClient) -> None:
    answer = await register(server, url, 422)
    assert answer["errors"][0]["field"] == "webhook_url"
    assert (await ask(server, "GET", "/list"))["data"] == []


@pytest.fixture
def server(tenant: Tenant) -> httpx2.AsyncClient:
    return tenant.http
