"""The story of a worker that polls: n8n takes a job, works, tells; in the words and shapes of the engine's document."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import trio

from tests.inprocess import PATIENCE, Gateway, moment, running_gateway
from tests.sink import https_sink

MINUTE, HOUR = 60, 3600
INBOUND = {
    "from": "+1234567890",
    "to": "+1987654321",
    "message": {"text": "Hello, I need help with my order"},
    "timestamp": "2025-09-10T10:30:00Z",
    "message_id": "wamid.xxxxx",
    "tenant_id": "whappstream",
    "contact_name": "John Doe",
}
NO_JOBS = {"status": "no_jobs", "queue_size": 0, "next_poll_recommended": "5s"}


async def take(gateway: Gateway, **query: Any) -> dict[str, Any]:
    return await gateway.ask("GET", "/queue/next-job", params=query)


async def tell(gateway: Gateway, job_id: str, expected: int = 200, **body: Any) -> dict[str, Any]:
    return await gateway.ask("PATCH", f"/queue/job/{job_id}", expected, json=body)


async def show(gateway: Gateway, job_id: str) -> dict[str, Any]:
    return await gateway.ask("GET", f"/queue/job/{job_id}")


async def post(gateway: Gateway, text: str, **fields: Any) -> str:
    job_id: str = (await gateway.post(text, **fields))["job_id"]
    return job_id


async def test_a_worker_waits_takes_beats_completes_and_the_job_tells_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever waits looks now and then, too: not in this test, where only the bell may wake it.
    monkeypatch.setattr("wagate.consumers.jobs.LOOK", HOUR)
    async with running_gateway() as gateway, trio.open_nursery() as nursery:
        await gateway.client("whappstream")
        assert await take(gateway, tenant_id="whappstream") == NO_JOBS
        job: dict[str, Any] = {}
        waiting = trio.Event()

        async def wait_for_it() -> None:
            waiting.set()
            job.update(await take(gateway, tenant_id="whappstream", wait=30))

        nursery.start_soon(wait_for_it)
        await waiting.wait()
        await gateway.passes(5)
        accepted = await gateway.ask("POST", "/webhook/inbound", 202, json=INBOUND)
        await gateway.until(lambda: _true(bool(job)))
        assert accepted == {
            "status": "accepted",
            "job_id": job["job_id"],
            "queue_position": 1,
            "estimated_processing_time": "2-5 seconds",
        }
        assert job["status"] == "processing"
        expected = {
            name: INBOUND[name] for name in ("from", "tenant_id", "contact_name", "timestamp", "message_id", "to")
        }
        assert {name: job["payload"][name] for name in expected} == expected
        assert job["payload"]["message"] == "Hello, I need help with my order"
        assert job["payload"]["content"] == {"text": "Hello, I need help with my order"}
        assert moment(job["created_at"]) <= moment(job["processing_started_at"])
        await assert_finished(gateway, job)


async def assert_finished(gateway: Gateway, job: dict[str, Any]) -> None:
    """From its heartbeat to its result."""
    await gateway.passes(3)
    beat = await gateway.ask("POST", f"/queue/job/{job['job_id']}/heartbeat", json={"lease_id": job["lease_id"]})
    assert moment(beat["lease_until"]) > moment(job["lease_until"])
    assert (await show(gateway, job["job_id"]))["status"] == "processing"
    result = {"message_sent": True, "response_message_id": "wamid.yyyyy"}
    done = await tell(gateway, job["job_id"], status="completed", result=result, lease_id=job["lease_id"])
    shown = await show(gateway, job["job_id"])
    assert shown == done
    assert (shown["job_id"], shown["status"], shown["result"]) == (job["job_id"], "completed", result)
    assert shown["processing_started_at"] == job["processing_started_at"]
    assert 3000 <= shown["processing_duration_ms"] < 3000 + PATIENCE * 1000
    passed = moment(shown["completed_at"]) - moment(shown["processing_started_at"])
    assert shown["processing_duration_ms"] == round(passed.total_seconds() * 1000)
    assert await take(gateway) == NO_JOBS


async def _true(value: bool) -> bool:
    return value


async def test_of_many_who_wait_one_gets_the_job() -> None:
    async with running_gateway() as gateway:
        got: list[dict[str, Any]] = []

        async def wait_for_it() -> None:
            got.append(await take(gateway, wait=20))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(wait_for_it)
            await gateway.passes(1)
            job_id = await post(gateway, "1")
            await gateway.until(lambda: _true(bool(got)))
            await gateway.passes(20)
        assert sorted(each.get("job_id", "") for each in got) == ["", "", "", "", job_id]


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first wait is a minute instead of 5 s, and so on: no try comes by itself while a test looks."""
    monkeypatch.setattr("wagate.rules.settle.FIRST_WAIT", 60.0)


async def test_what_is_not_done_within_its_lease_returns_and_the_late_worker_is_refused() -> None:
    async with running_gateway() as gateway:
        job_id = await post(gateway, "1")
        late = await take(gateway, lease=600)
        await gateway.passes(500)
        beat = {"lease_id": late["lease_id"], "lease": 600}
        await gateway.ask("POST", f"/queue/job/{job_id}/heartbeat", json=beat)
        await gateway.passes(500)
        assert (await take(gateway))["status"] == "no_jobs", "the heartbeat lengthened the lease"
        await gateway.passes(101)
        assert (await show(gateway, job_id))["status"] == "queued"
        again = await take(gateway)
        assert (again["job_id"], again["attempt_count"]) == (job_id, 0)
        stale = {"lease_id": late["lease_id"]}
        await tell(gateway, job_id, 409, status="completed", **stale)
        await tell(gateway, job_id, 409, status="failed", **stale)
        await gateway.ask("POST", f"/queue/job/{job_id}/heartbeat", 409, json=stale)
        await tell(gateway, job_id, status="completed", result=1, lease_id=again["lease_id"])
        assert (await tell(gateway, job_id, status="completed", result=2, lease_id=again["lease_id"]))["result"] == 1
        await tell(gateway, job_id, 409, status="failed", lease_id=again["lease_id"])
        [row] = (await gateway.ask("GET", "/api/jobs?connector=n8n"))["data"]
        assert (row["status"], row["attempt_count"]) == ("delivered", 1)


@pytest.mark.usefixtures("minutes")
async def test_one_job_of_a_chat_at_a_time_in_order_while_other_chats_go_on() -> None:
    async with running_gateway() as gateway:
        a1, a2 = await post(gateway, "a1", chat="+15550000001"), await post(gateway, "a2", chat="+15550000001")
        b1 = await post(gateway, "b1", chat="+15550000002")
        taken = {(await take(gateway))["job_id"] for _ in range(2)}
        assert taken == {a1, b1}
        assert await take(gateway) == NO_JOBS | {"queue_size": 1}
        await tell(gateway, b1, status="completed")
        assert (await take(gateway))["status"] == "no_jobs"
        await tell(gateway, a1, status="failed", error="busy")
        assert (await take(gateway))["status"] == "no_jobs", "a failed job holds its chat until it is tried again"
        await gateway.passes(72.1)
        assert (await take(gateway))["job_id"] == a1
        await tell(gateway, a1, status="completed")
        assert (await take(gateway, wait=5))["job_id"] == a2


@pytest.mark.usefixtures("minutes")
async def test_a_failing_job_is_tried_three_times_stays_failed_and_is_queued_by_hand() -> None:
    async with running_gateway() as gateway:
        job_id = await post(gateway, "1")
        for number, wait in enumerate((60, 120)):
            job = await take(gateway)
            assert (job["job_id"], job["attempt_count"]) == (job_id, number)
            told = await tell(gateway, job_id, status="failed", error=f"error {number}", lease_id=job["lease_id"])
            assert (told["status"], told["error"]) == ("queued", f"error {number}")
            await gateway.passes(wait - 30)
            assert (await take(gateway))["status"] == "no_jobs"
            await gateway.passes(0.2 * wait + 30.1)
        await take(gateway)
        told = await tell(gateway, job_id, status="failed", error="no such order", result={"code": 7})
        assert (told["status"], told["error"], told["result"]) == ("failed", "no such order", {"code": 7})
        await gateway.passes(HOUR, step=10 * MINUTE)
        assert await take(gateway) == NO_JOBS
        assert (await show(gateway, job_id))["status"] == "failed"
        again = await gateway.ask("POST", f"/queue/job/{job_id}/retry")
        assert again["status"] == "queued"
        assert (await take(gateway, wait=5))["job_id"] == job_id
        assert (await tell(gateway, job_id, status="completed"))["status"] == "completed"
        await gateway.ask("POST", f"/queue/job/{job_id}/retry", 409)


async def test_a_job_that_nobody_takes_for_a_day_is_expired_and_can_be_queued_again() -> None:
    async with running_gateway() as gateway:
        old = await post(gateway, "1")
        await gateway.passes(23 * HOUR, step=HOUR)
        young = await post(gateway, "2")
        assert (await show(gateway, old))["status"] == "queued"
        await gateway.passes(1.1 * HOUR, step=10 * MINUTE)
        assert (await show(gateway, old))["status"] == "expired"
        job = await take(gateway)
        assert job["job_id"] == young
        await tell(gateway, young, status="completed")
        assert (await gateway.ask("POST", f"/queue/job/{old}/retry"))["status"] == "queued"
        assert (await take(gateway, wait=5))["job_id"] == old


async def test_a_client_sees_and_takes_its_own_jobs_only() -> None:
    async with running_gateway() as gateway:
        made = await gateway.client("acme")
        theirs = await post(gateway, "1")
        headers = {"Authorization": f"Bearer {made['token']}"}
        async with httpx2.AsyncClient(
            base_url=gateway.url, headers=headers, timeout=60, trust_env=False, verify=False
        ) as acme:
            assert (await acme.get("/queue/next-job")).json() == NO_JOBS
            body = {"from": "+15550000001", "message": "mine"}
            accepted = (await acme.post("/webhook/inbound", json=body)).json()
            assert accepted["queue_position"] == 1
            assert (await acme.get("/queue/next-job")).json()["job_id"] == accepted["job_id"]
            for path in ("/queue/next-job?tenant_id=default", f"/queue/job/{theirs}"):
                assert (await acme.get(path)).status_code == 404
            for path in (f"/queue/job/{theirs}/heartbeat", f"/queue/job/{theirs}/retry"):
                assert (await acme.post(path)).status_code == 404
            assert (await acme.patch(f"/queue/job/{theirs}", json={"status": "completed"})).status_code == 404
        assert (await take(gateway))["job_id"] == theirs, "the admin's worker takes anyone's"


async def test_the_queue_position_counts_the_jobs_that_wait_and_the_estimate_is_measured() -> None:
    async with running_gateway() as gateway:
        positions = [(await gateway.post(str(number)))["queue_position"] for number in range(3)]
        assert positions == [1, 2, 3]
        for _ in range(2):
            job = await take(gateway, lease=HOUR)
            await gateway.passes(700)
            await tell(gateway, job["job_id"], status="completed")
        assert (await gateway.post("0", expected=200))["queue_position"] == 1
        await gateway.passes(2)
        answer = await gateway.post("3")
        assert answer["queue_position"] == 2
        middle, high = (int(each) for each in answer["estimated_processing_time"].removesuffix(" seconds").split("-"))
        assert 1050 < middle <= 1050 + PATIENCE, "of 700 and 1400, and the seconds that the test itself took"
        assert 1365 < high <= 1365 + PATIENCE


@pytest.mark.parametrize("down", [False, True])
async def test_what_waits_for_a_webhook_does_not_count_in_the_queue(down: bool) -> None:
    async with https_sink(lambda _: 503 if down else 200) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        await gateway.register(sink.url)
        for number in range(3):
            assert (await gateway.post(str(number)))["queue_position"] == 1
            job = await take(gateway)
            await tell(gateway, job["job_id"], status="completed")
            await gateway.passes(2)
