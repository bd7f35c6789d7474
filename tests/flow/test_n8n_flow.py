"""The pull queue through the whole gateway."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import trio

from tests.gateway import GatewayProcess, gateway
from tests.inprocess import running_gateway
from tests.shared_gateway import Tenant
from wagate_n8n import cli


async def post(http: httpx2.AsyncClient, text: str, *, chat: str = "+1234567890", **fields: str) -> str:
    body = {"from": chat, "to": "+1987654321", "message": {"text": text}, "contact_name": "John Doe"}
    answer = await http.post("/webhook/inbound", json=body | fields)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


async def take(http: httpx2.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await http.get("/queue/next-job", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def tell(http: httpx2.AsyncClient, job_id: str, expected: int = 200, **body: Any) -> dict[str, Any]:
    answer = await http.patch(f"/queue/job/{job_id}", json=body)
    assert answer.status_code == expected, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_job_is_taken_worked_on_and_completed_once(tenant: Tenant) -> None:
    job_id = await post(tenant.http, "Hello, I need help with my order")
    job = await take(tenant.http, tenant_id=tenant.slug)
    assert (job["job_id"], job["status"]) == (job_id, "processing")
    assert job["payload"]["from"] == "+1234567890"
    assert job["payload"]["message"] == "Hello, I need help with my order"
    assert job["payload"]["content"] == {"text": "Hello, I need help with my order"}
    assert (job["payload"]["tenant_id"], job["payload"]["contact_name"]) == (tenant.slug, "John Doe")
    beat = await tenant.http.post(f"/queue/job/{job_id}/heartbeat", json={"lease_id": job["lease_id"]})
    assert beat.json()["lease_until"] > job["lease_until"]
    await tell(tenant.http, job_id, 409, status="completed", lease_id="stale")
    done = await tell(tenant.http, job_id, status="completed", result={"sent": True}, lease_id=job["lease_id"])
    assert (done["status"], done["result"], done["error"]) == ("completed", {"sent": True}, None)
    assert done["processing_duration_ms"] >= 0
    again = await tell(tenant.http, job_id, status="completed", result={"sent": 2}, lease_id=job["lease_id"])
    assert again["result"] == {"sent": True}
    await tell(tenant.http, job_id, 409, status="failed", lease_id=job["lease_id"])
    assert (await tenant.http.get(f"/queue/job/{job_id}")).json() == done
    assert await take(tenant.http) == {"status": "no_jobs", "queue_size": 0, "next_poll_recommended": "5s"}


async def test_whoever_waits_gets_the_job_as_soon_as_it_comes(tenant: Tenant) -> None:
    async with trio.open_nursery() as nursery:
        got: dict[str, Any] = {}

        async def wait(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            task_status.started()
            got.update(await take(tenant.http, wait=20))

        with trio.fail_after(60):
            await nursery.start(wait)
            job_id = await post(tenant.http, "now")
            while not got:
                await trio.sleep(0.01)
        assert got["job_id"] == job_id


async def test_one_job_of_a_chat_at_a_time_and_in_order(tenant: Tenant) -> None:
    first, second = await post(tenant.http, "1"), await post(tenant.http, "2")
    other = await post(tenant.http, "3", chat="+1234567891")
    taken = {(await take(tenant.http))["job_id"] for _ in range(2)}
    assert taken == {first, other}
    assert await take(tenant.http) == {"status": "no_jobs", "queue_size": 1, "next_poll_recommended": "5s"}
    await tell(tenant.http, first, status="completed")
    assert (await take(tenant.http, wait=20))["job_id"] == second


async def test_a_job_given_back_or_not_finished_in_time_returns() -> None:
    async with running_gateway() as running:
        http = running.http
        job_id = await post(http, "1", tenant_id="default")
        await take(http)
        assert (await tell(http, job_id, status="queued"))["status"] == "queued"
        late = await take(http, lease=5, wait=20)
        assert (late["job_id"], late["attempt_count"]) == (job_id, 0)
        await running.passes(5.1)
        again = await take(http, wait=20)
        assert again["job_id"] == job_id
        assert again["lease_id"] != late["lease_id"]
        await tell(http, job_id, 409, status="completed", lease_id=late["lease_id"])
        await tell(http, job_id, status="completed", lease_id=again["lease_id"])


async def test_a_job_that_fails_too_often_stays_failed_until_it_is_queued_by_hand() -> None:
    async with running_gateway({"delivery": {"max_retries": 1}}) as running:
        http = running.http
        job_id = await post(http, "1", tenant_id="default")
        await take(http)
        failed = await tell(http, job_id, status="failed", error="no such order")
        assert (failed["status"], failed["error"], failed["attempt_count"]) == ("failed", "no such order", 1)
        assert (await http.post(f"/queue/job/{job_id}/retry")).json()["status"] == "queued"
        assert (await take(http, wait=20))["job_id"] == job_id


async def test_a_clients_token_gets_only_its_own_jobs(tenant: Tenant, gateway_process: GatewayProcess) -> None:
    acme = tenant.http
    async with gateway_process.client() as admin:
        job_id = await post(admin, "for the default client", tenant_id="default")
        assert (await acme.get("/queue/next-job")).json()["status"] == "no_jobs"
        assert (await acme.get("/queue/next-job?tenant_id=default")).status_code == 404
        assert (await acme.get(f"/queue/job/{job_id}")).status_code == 404
        assert (await acme.patch(f"/queue/job/{job_id}", json={"status": "completed"})).status_code == 404
        own = await post(admin, "for acme", tenant_id=tenant.slug)
        assert (await acme.get(f"/queue/next-job?tenant_id={tenant.slug}")).json()["job_id"] == own


async def test_after_a_kill_nothing_is_lost_and_the_lease_holds() -> None:
    async with gateway() as server:
        http = server.http
        held = await post(http, "1", tenant_id="default")
        waiting = await post(http, "2", chat="+1234567891", tenant_id="default")
        first = await take(http, lease=600)
        server.kill()
        await server.start()
        left = {held, waiting} - {first["job_id"]}
        assert {(await take(http, wait=20))["job_id"]} == left
        assert (await take(http))["status"] == "no_jobs"
        await tell(http, first["job_id"], status="completed", lease_id=first["lease_id"])


async def test_the_workflows_for_n8n_ask_for_what_the_api_has(tenant: Tenant) -> None:
    paths = (await tenant.http.get("/openapi.json")).json()["paths"]
    known = {(verb, re.sub(r"\{\w+\}", "*", path)) for path, verbs in paths.items() for verb in verbs}
    asked = set()
    for name in cli.workflow_names():
        for node in json.loads(cli.text_of(name))["nodes"]:
            url = node["parameters"].get("url", "").removeprefix("=")
            if url.startswith(cli.STAND_IN):
                path = re.sub(r"\{\{.*?\}\}", "*", url.removeprefix(cli.STAND_IN))
                asked.add((node["parameters"]["method"].lower(), path))
    assert len(asked) == 4
    assert asked <= known
