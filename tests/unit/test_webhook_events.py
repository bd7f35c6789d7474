"""``/api/webhooks`` over fakes: events, retries, tests, replays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webhook_api import Api
from wagate.hooks import AttemptView, DeliveryView
from wagate.testing import NOW, make_event


@pytest.fixture
def api() -> Api:
    return Api()


def delivery(target: str, **fields: Any) -> DeliveryView:
    made = {
        "id": "01997d4c-7d10-7c3b-8000-0123456789ab",
        "event": make_event(),
        "handler": "webhook",
        "target": target,
        "mode": "push",
        "status": "failed",
        "attempt_count": 3,
        "max_retries": 3,
        "http_status": 503,
        "response": "oops",
        "error": "Server error (503)",
        "held": True,
        "next_retry_at": NOW,
        "created_at": NOW,
        "delivered_at": None,
        "updated_at": NOW,
        "attempts": [
            AttemptView(number=1, started_at=NOW, duration_ms=12, http_status=503, error="Server error (503)")
        ],
    }
    return DeliveryView(**(made | fields))


async def test_an_event_row_has_the_body_sent_and_each_try(api: Api) -> None:
    made = await api.register()
    api.fakes.deliveries.rows = [delivery(made["id"]), delivery("other", id="x")]
    [row] = (await api.ask("GET", f"/{made['id']}/events"))["data"]
    payload = row.pop("payload")
    assert (payload["event_id"], payload["content"], payload["from"]) == (row["id"], "Hello", "5511999999999")
    [attempt] = row.pop("attempts")
    assert attempt == {
        "number": 1,
        "started_at": "2025-09-10T10:30:00Z",
        "duration_ms": 12,
        "http_status": 503,
        "error": "Server error (503)",
    }
    assert row == {
        "id": "01997d4c-7d10-7c3b-8000-0123456789ab",
        "webhook_id": made["id"],
        "source_event_id": api.fakes.deliveries.rows[0].event.id,
        "event": "message",
        "message_id": "wamid.1",
        "from": "5511999999999",
        "to": "5511888888888",
        "message_type": "text",
        "content": "Hello",
        "status": "failed",
        "attempt_count": 3,
        "max_retries": 3,
        "http_status": 503,
        "response": "oops",
        "error": "Server error (503)",
        "next_retry_at": "2025-09-10T10:30:00Z",
        "created_at": "2025-09-10T10:30:00Z",
        "delivered_at": None,
    }


async def test_events_are_filtered_by_status_and_message(api: Api) -> None:
    made = await api.register()
    api.fakes.deliveries.rows = [delivery(made["id"])]
    for query, count in [("status=failed", 1), ("status=pending", 0), ("message_id=wamid.1", 1), ("message_id=b", 0)]:
        assert len((await api.ask("GET", f"/{made['id']}/events?{query}"))["data"]) == count
    await api.ask("GET", f"/{made['id']}/events?status=lost", 422)


async def test_a_failed_event_is_retried_by_hand(api: Api) -> None:
    made = await api.register()
    row = delivery(made["id"])
    api.fakes.deliveries.rows = [row, delivery("2", id="job", handler="n8n"), delivery("gone", id="old")]
    assert (await api.ask("POST", f"/events/{row.id}/retry"))["status"] == "pending"
    assert api.fakes.deliveries.retried == [row.id]
    for other in ("job", "old", "none"):
        await api.ask("POST", f"/events/{other}/retry", 404)
    api.fakes.auth.who = 2
    await api.ask("POST", f"/events/{row.id}/retry", 404)
    assert api.fakes.deliveries.retried == [row.id]


async def test_what_was_delivered_is_not_retried(api: Api) -> None:
    made = await api.register()
    api.fakes.deliveries.rows = [delivery(made["id"], status="delivered")]
    await api.ask("POST", f"/events/{api.fakes.deliveries.rows[0].id}/retry", 409)


async def test_a_test_goes_to_this_webhook_alone(api: Api) -> None:
    made = await api.register()
    await api.register(name="other")
    answer = await api.ask("POST", f"/{made['id']}/test", 202)
    [(event, targets)] = api.fakes.emitted
    assert event.kind == "webhook.test"
    assert [each.id for each in targets or []] == [made["id"]]
    [row] = api.fakes.deliveries.rows
    assert answer == {"status": "accepted", "event_id": row.id, "source_event_id": row.event.id}


async def test_a_webhook_that_is_off_is_not_tested(api: Api) -> None:
    made = await api.register()
    await api.ask("POST", f"/{made['id']}/toggle")
    await api.ask("POST", f"/{made['id']}/test", 409)
    assert not api.fakes.emitted


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        ("", 10 * 365 * 86400),
        ("?since=24h", 86400),
        ("?since=1h30m", 5400),
        ("?since=2025-09-10T09:30:00Z", 3600),
        ("?since=2025-09-10T11:30:00%2B02:00", 3600),
        ("?since=2025-09-10T11:30:00+02:00", 3600),
        ("?since=2025-09-10T09:30:00", 3600),
        ("?since=0001-01-01T00:00:00Z", 10 * 365 * 86400),
    ],
)
async def test_what_failed_is_replayed_since_a_time(api: Api, since: str, seconds: float) -> None:
    made = await api.register()
    answer = await api.ask("POST", f"/{made['id']}/recover{since}", 202)
    assert answer == {"webhook_id": made["id"], "recovered": 0}
    assert api.fakes.endpoints.recovered == [(made["id"], seconds)]


@pytest.mark.parametrize("since", ["yesterday", "2025-09-10T11:30:00Z", "-1h", "9999-12-31T23:59:59-14:00", "%00"])
async def test_a_since_that_makes_no_sense_is_refused(api: Api, since: str) -> None:
    made = await api.register()
    answer = await api.ask("POST", f"/{made['id']}/recover?since={since}", 422)
    assert answer["errors"][0]["field"] == "?since"
