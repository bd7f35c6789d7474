"""One message from each door to an https receiver: once, signed, and told."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from standardwebhooks import Webhook, WebhookVerificationError

from tests.inprocess import Gateway, moment, running_gateway
from tests.sink import Got, https_sink

DAY = 24 * 3600

ENGINE = {
    "from": "+6281234567890",
    "to": "+6289876543210",
    "message": {"text": "Hello World"},
    "message_id": "msg_123",
    "timestamp": 1640995200,
    "tenant_id": "default",
}
SESSION_MESSAGE = {
    "id": "msg_123",
    "body": "Hello World",
    "from": "6281234567890@c.us",
    "to": "6289876543210@c.us",
    "timestamp": 1640995200,
}
DOORS = {
    "engine": ("/webhook/inbound", ENGINE, 202),
    "session": ("/api/whatsapp/webhook/main", {"event": "message", "data": {"message": SESSION_MESSAGE}}, 200),
    "session, other form": (
        "/api/whatsapp/webhook/main",
        {"dataType": "message", "data": {"message": SESSION_MESSAGE}, "sessionId": "main"},
        200,
    ),
}


def verifies(secret: str, got: Got) -> bool:
    """Whether the public library accepts the request."""
    try:
        Webhook(secret).verify(got.body, got.headers)
    except WebhookVerificationError:
        return False
    return True


@pytest.mark.parametrize("door", DOORS)
async def test_a_message_of_each_door_is_delivered_once_and_its_duplicates_answer_with_the_first_ids(door: str) -> None:
    path, body, status = DOORS[door]
    async with https_sink() as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        first = await gateway.ask("POST", path, status, json=body)
        await sink.until_accepted(1)
        again = [await gateway.ask("POST", path, 200, json=body) for _ in range(2)]
        for answer in again:
            assert ids(answer) == ids(first)
        if "duplicate" in first:
            assert [answer["duplicate"] for answer in (first, *again)] == [False, True, True]
        # Whatever a duplicate had set off would be there before this one.
        await gateway.post("last", chat="+6281234567890")
        await sink.until_accepted(2)
        rows = await gateway.events(hook)
    got = sink.got[0]
    assert [each.json["content"] for each in sink.got] == ["Hello World", "last"]
    assert verifies(hook["secret"], got)
    expected = {
        "client_id": 1,
        "message_id": "msg_123",
        "from": "6281234567890",
        "to": "6289876543210",
        "timestamp": "2022-01-01T00:00:00Z",
        "type": "text",
        "content": "Hello World",
        "event": "message",
    }
    assert {name: got.json[name] for name in expected} == expected
    assert len(rows) == 2
    assert_told(rows[0], hook, got)


def assert_told(row: dict[str, Any], hook: dict[str, Any], got: Got) -> None:
    """The event row tells the whole story of one delivery."""
    assert row["id"] == got.id == got.json["event_id"]
    assert row["webhook_id"] == hook["id"]
    assert row["source_event_id"] == got.json["source_event_id"]
    assert row["payload"] == got.json
    told = {name: row[name] for name in ("from", "to", "message_id", "message_type", "content", "status")}
    assert told == {
        "from": "6281234567890",
        "to": "6289876543210",
        "message_id": "msg_123",
        "message_type": "text",
        "content": "Hello World",
        "status": "delivered",
    }
    assert (row["attempt_count"], row["http_status"], row["response"], row["error"]) == (1, 200, "ok", None)
    assert row["next_retry_at"] is None
    [attempt] = row["attempts"]
    assert (attempt["http_status"], attempt["error"]) == (200, None)
    assert attempt["duration_ms"] >= 0
    assert moment(row["created_at"]) <= moment(attempt["started_at"]) <= moment(row["delivered_at"])


def ids(answer: dict[str, Any]) -> Any:
    return answer.get("job_id") or (answer["sessionId"], answer["event_id"])


async def test_the_same_message_by_both_envelopes_is_one_message() -> None:
    async with https_sink() as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        await gateway.register(sink.url)
        path, body, _ = DOORS["session"]
        first = await gateway.ask("POST", path, json=body)
        second = await gateway.ask("POST", path, json=DOORS["session, other form"][1])
        assert (second["duplicate"], second["event_id"]) == (True, first["event_id"])
        await sink.until_accepted(1)
        await gateway.post("last", chat="+6281234567890")
        await sink.until_accepted(2)
    assert [each.json["content"] for each in sink.got] == ["Hello World", "last"]


async def test_both_secrets_verify_for_a_day_after_a_rotation_and_then_only_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with https_sink() as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        await gateway.post("before")
        await sink.until_accepted(1)
        new = (await gateway.ask("POST", f"/api/webhooks/{hook['id']}/rotate-secret"))["secret"]
        assert new != hook["secret"]
        await gateway.post("at once")
        await sink.until_accepted(2)
        await gateway.passes(DAY - 60)
        await gateway.post("within the day")
        await sink.until_accepted(3)
        late = sink.got[2]
        with monkeypatch.context() as patched:
            tell_the_time(patched, gateway)
            assert (verifies(hook["secret"], late), verifies(new, late)) == (True, True)
            await gateway.passes(120)
            await gateway.post("after it")
            await sink.until_accepted(4)
            tell_the_time(patched, gateway)
            last = sink.got[3]
            assert (verifies(hook["secret"], last), verifies(new, last)) == (False, True)
    before, rotated, *_ = sink.got
    assert (verifies(hook["secret"], before), verifies(new, before)) == (True, False)
    assert (verifies(hook["secret"], rotated), verifies(new, rotated)) == (True, True)
    assert len(last.headers["webhook-signature"].split()) == 1


def tell_the_time(patched: pytest.MonkeyPatch, gateway: Gateway) -> None:
    """The library refuses timestamps five minutes off the machine's clock: show it the gateway's."""
    now = gateway.clock.now()

    class Shifted(type(now)):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now.astimezone(tz)

    patched.setattr("standardwebhooks.webhooks.datetime", Shifted)


async def test_a_gateway_that_is_cancelled_waits_for_nothing() -> None:
    with trio.fail_after(120), trio.CancelScope() as all_of_it:
        async with running_gateway({"server": {"drain": "1h"}}) as gateway:
            await gateway.post("a1")
            all_of_it.cancel()
    assert all_of_it.cancelled_caught
