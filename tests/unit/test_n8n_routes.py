"""``/queue`` over fakes: taking, finishing, leases, owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from wagate.events import Media
from wagate.hooks import Job
from wagate.running import RUNNING, Running
from wagate.testing import NOW, fake_context, make_event, routes_client
from wagate_n8n import plugin
from wagate_n8n.queue import Settings

JOB = "123e4567-e89b-12d3-a456-426614174000"


class Api:
    """The routes, the fakes beneath, and a short way to ask."""

    def __init__(self, settings: Settings) -> None:
        self.fakes = fake_context("n8n", settings=settings)
        self.client = routes_client(*plugin.register_routes(self.fakes.context))

    async def ask(self, method: str, path: str, expected: int = 200, **body: Any) -> Any:
        sent = {"json": body} if body else {}
        response = await self.client.open(f"/queue{path}", method=method, **sent)
        assert response.status_code == expected, await response.get_data(as_text=True)
        return await response.get_json()


@pytest.fixture
def api() -> Api:
    return Api(Settings())


def job(job_id: str = JOB, client_id: int = 1, **fields: Any) -> Job:
    made = {
        "id": job_id,
        "event": make_event(client_id=client_id),
        "target": str(client_id),
        "status": "queued",
        "attempt_count": 0,
        "lease_id": None,
        "lease_until": None,
        "created_at": NOW,
        "started_at": None,
        "completed_at": None,
    }
    return Job(**(made | fields))


async def test_without_a_job_it_says_so_and_when_to_ask_again(api: Api) -> None:
    assert await api.ask("GET", "/next-job") == {
        "status": "no_jobs",
        "queue_size": 0,
        "next_poll_recommended": "5s",
    }


async def test_a_job_is_given_with_its_lease(api: Api) -> None:
    api.fakes.jobs.rows = [job()]
    answer = await api.ask("GET", "/next-job?tenant_id=default&wait=20&lease=90")
    assert (answer["job_id"], answer["status"], answer["lease_id"]) == (JOB, "processing", f"lease-{JOB}")
    assert answer["payload"]["message"] == "Hello"
    assert answer["created_at"] == answer["processing_started_at"] == "2025-09-10T10:30:00Z"
    assert "queue_size" not in answer
    assert api.fakes.jobs.asked == [(["1"], 20, 90)]


async def test_by_default_it_does_not_wait_and_leases_for_a_minute(api: Api) -> None:
    await api.ask("GET", "/next-job?tenant_id=2")
    assert api.fakes.jobs.asked == [(["2"], 0, 60)]


async def test_the_admin_who_names_no_client_gets_anyones_job() -> None:
    everyone, acme = Api(Settings()), Api(Settings(clients=["acme"]))
    await everyone.ask("GET", "/next-job")
    await acme.ask("GET", "/next-job")
    assert everyone.fakes.jobs.asked[0][0] == ["1", "2"]
    assert acme.fakes.jobs.asked[0][0] == ["2"]


async def test_a_clients_token_gets_only_its_own_jobs(api: Api) -> None:
    api.fakes.jobs.rows = [job()]
    api.fakes.auth.who = 2
    assert (await api.ask("GET", "/next-job"))["status"] == "no_jobs"
    await api.ask("GET", "/next-job?tenant_id=default", 404)
    await api.ask("GET", f"/job/{JOB}", 404)
    await api.ask("PATCH", f"/job/{JOB}", 404, status="completed")
    await api.ask("POST", f"/job/{JOB}/heartbeat", 404)
    await api.ask("POST", f"/job/{JOB}/retry", 404)


@pytest.mark.parametrize("query", ["wait=61", "wait=-1", "wait=x", "wait=1.5", "lease=4", "lease=3601", "wait=nan"])
async def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    answer = await api.ask("GET", f"/next-job?{query}", 422)
    assert answer["errors"][0]["field"] == f"?{query.partition('=')[0]}"


async def test_a_completed_job_shows_its_result_and_how_long_it_took(api: Api) -> None:
    later = NOW + timedelta(seconds=3)
    result = {"message_sent": True, "response_message_id": "wamid.yyyyy"}
    api.fakes.jobs.rows = [job(status="completed", started_at=NOW, completed_at=later, result=result)]
    answer = await api.ask("GET", f"/job/{JOB}")
    assert {name: answer[name] for name in list(answer)[:6]} == {
        "job_id": JOB,
        "status": "completed",
        "created_at": "2025-09-10T10:30:00Z",
        "processing_started_at": "2025-09-10T10:30:00Z",
        "completed_at": "2025-09-10T10:30:03Z",
        "processing_duration_ms": 3000,
    }
    assert (answer["result"], answer["error"]) == (result, None)


async def test_a_job_is_found_by_its_events_id(api: Api) -> None:
    api.fakes.jobs.rows = [job()]
    assert (await api.ask("GET", f"/job/{api.fakes.jobs.rows[0].event.id}"))["job_id"] == JOB


async def test_a_worker_tells_how_it_went(api: Api) -> None:
    api.fakes.jobs.rows = [job()]
    lease_id = (await api.ask("GET", "/next-job"))["lease_id"]
    assert (await api.ask("POST", f"/job/{JOB}/heartbeat", lease_id=lease_id, lease=30))["status"] == "processing"
    done = await api.ask("PATCH", f"/job/{JOB}", status="completed", result=[1], lease_id=lease_id)
    assert (done["status"], done["result"]) == ("completed", [1])


async def test_a_stale_lease_is_refused(api: Api) -> None:
    api.fakes.jobs.rows = [job()]
    await api.ask("GET", "/next-job")
    await api.ask("PATCH", f"/job/{JOB}", 409, status="completed", lease_id="old")
    await api.ask("POST", f"/job/{JOB}/heartbeat", 409, lease_id="old")


async def test_a_failed_job_is_queued_again_by_hand(api: Api) -> None:
    api.fakes.jobs.rows = [replace(job(), status="failed", error="boom")]
    assert (await api.ask("GET", f"/job/{JOB}"))["error"] == "boom"
    assert (await api.ask("POST", f"/job/{JOB}/retry"))["status"] == "queued"
    await api.ask("POST", f"/job/{JOB}/retry", 409)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "done"}, "status"),
        ({"result": 1}, "status"),
        ({"status": "failed", "error": 1}, "error"),
        ({"status": "failed", "lease": 1}, "lease"),
    ],
)
async def test_a_wrong_report_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    api.fakes.jobs.rows = [job()]
    answer = await api.ask("PATCH", f"/job/{JOB}", 422, **body)
    assert answer["errors"][0]["field"] == field
    assert api.fakes.jobs.rows[0].status == "queued"


async def test_a_job_carries_the_link_to_its_file(api: Api) -> None:
    event = make_event(media=Media(mimetype="audio/ogg", url="https://needs-a-token.example/1", provider_id="1"))
    api.fakes.jobs.rows = [job(event=event)]
    payload = (await api.ask("GET", "/next-job"))["payload"]
    assert payload["media"] == {"mimetype": "audio/ogg", "url": api.fakes.media.url(event), "provider_id": "1"}


@pytest.mark.parametrize(("method", "path", "body"), [("PATCH", "", {"status": "completed"}), ("POST", "/retry", {})])
async def test_what_a_worker_says_of_a_job_is_done_to_its_end_when_it_hangs_up(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, Any]
) -> None:
    """Its chat would wait for the end of the lease otherwise."""
    api.fakes.jobs.rows = [job(status="processing")]
    running, found = Running(), []

    async def does(*_args: Any, **_options: Any) -> Job:
        found.append(running.finishes)
        return job(status="completed")

    for name in ("finish", "retry"):
        monkeypatch.setattr(api.fakes.jobs, name, does)
    token = RUNNING.set(running)
    await api.ask(method, f"/job/{JOB}{path}", **body)
    RUNNING.reset(token)
    assert found == [True]
