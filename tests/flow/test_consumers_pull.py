"""Jobs: taken under a lease, one of a chat at a time, done once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.consuming import PATIENCE, World, open_world
from wagate.consumers.jobs import PullJobs
from wagate.errors import ConflictError, NotFoundError
from wagate.hooks.contracts import Handler, Target
from wagate.hooks.views import Job
from wagate.inbound.route import Router

pytest_plugins = ("tests.valkey",)

HOUR = 3600


@asynccontextmanager
async def pulling(url: str, folder: Path, database_url: str = "") -> AsyncIterator[tuple[World, PullJobs]]:
    async with open_world(url, folder, database_url=database_url) as world:
        world.handlers["n8n"] = Handler(name="n8n", targets=lambda _event: ())
        async with world.running() as consumers:
            yield world, consumers.jobs("n8n")


async def queued(
    world: World, chat: str, *contents: str, target: str = "t1", expires: float | None = None
) -> list[str]:
    ids = []
    for content in contents:
        made = world.event(chat, content)
        routes = Router(world.handlers, max_retries=3).routes_to("n8n", [Target(id=target, expires=expires)], made)
        ids.append(await world.store(made, routes))
    return ids


async def taken(jobs: PullJobs, *targets: str, lease: float = 60) -> Job:
    job = await jobs.take(targets or ["t1"], wait=0, lease=lease)
    assert job is not None
    return job


async def nothing(jobs: PullJobs) -> bool:
    return await jobs.take(["t1"], wait=0, lease=60) is None


async def test_jobs_of_a_chat_are_taken_one_at_a_time_in_order(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with pulling(external_url, tmp_path, database_url) as (world, jobs):
        a1, a2 = await queued(world, "a", "a1", "a2")
        (b1,) = await queued(world, "b", "b1")
        assert await jobs.waiting(["t1", "t2"]) == 3
        assert (await jobs.get(a1, client_id=1)).status == "queued"
        first, second = await taken(jobs), await taken(jobs)
        assert {first.id, second.id} == {a1, b1}
        assert (first.status, second.status) == ("processing", "processing")
        assert await nothing(jobs)
        assert await jobs.waiting(["t1"]) == 1
        done = await jobs.finish(
            a1,
            client_id=1,
            status="completed",
            lease_id=(await jobs.get(a1, client_id=1)).lease_id,
            result={"ok": True},
        )
        assert (done.status, done.result, done.attempt_count) == ("completed", {"ok": True}, 1)
        assert done.completed_at is not None
        assert done.started_at is not None
        third = await taken(jobs)
        assert third.id == a2
        assert third.event.content == "a2"
        assert third.event.chat == "a@c.us"
        assert await world.sql("SELECT COUNT(*) FROM attempts") == [(1,)]


async def test_a_lease_that_ends_gives_the_job_back_and_the_old_lease_is_stale(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with pulling(external_url, tmp_path, database_url) as (world, jobs):
        (a1,) = await queued(world, "a", "a1")
        first = await taken(jobs, lease=60)
        beaten = await jobs.heartbeat(a1, client_id=None, lease_id=first.lease_id, lease=120)
        assert beaten.lease_until is not None
        assert first.lease_until is not None
        assert beaten.lease_until > first.lease_until
        await world.passes(61)
        assert await nothing(jobs)
        await world.passes(60)
        assert (await jobs.get(a1, client_id=None)).status == "queued"
        with pytest.raises(ConflictError):
            await jobs.finish(a1, client_id=1, status="completed", lease_id=first.lease_id)
        second = await taken(jobs)
        assert second.id == a1
        assert second.lease_id != first.lease_id
        for stale in (first.lease_id, "nonsense"):
            with pytest.raises(ConflictError):
                await jobs.heartbeat(a1, client_id=1, lease_id=stale, lease=60)
            with pytest.raises(ConflictError):
                await jobs.finish(a1, client_id=1, status="failed", lease_id=stale)
        assert (await jobs.finish(a1, client_id=1, status="completed", lease_id=second.lease_id)).status == "completed"
        assert await nothing(jobs)


async def test_completed_counts_once(external_url: str, tmp_path: Path) -> None:
    async with pulling(external_url, tmp_path) as (world, jobs):
        a1, _ = await queued(world, "a", "a1", "a2")
        with pytest.raises(ConflictError):
            await jobs.finish(a1, client_id=1, status="completed", lease_id=None)
        first = await taken(jobs)
        once = await jobs.finish(a1, client_id=1, status="completed", lease_id=None, result=1)
        twice = await jobs.finish(a1, client_id=1, status="completed", lease_id=first.lease_id, result=2)
        assert (once.result, twice.result, twice.attempt_count) == (1, 1, 1)
        with pytest.raises(ConflictError):
            await jobs.finish(a1, client_id=1, status="failed", lease_id=None)
        with pytest.raises(ConflictError):
            await jobs.finish(a1, client_id=1, status="completed", lease_id="other")
        with pytest.raises(ConflictError):
            await jobs.heartbeat(a1, client_id=1, lease_id=None, lease=60)
        with pytest.raises(NotFoundError):
            await jobs.get(a1, client_id=2)


async def test_failed_jobs_are_retried_by_the_schedule_then_stay_failed_until_retried_by_hand(
    external_url: str, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute instead of 5 s, and the double: the first wait must not be over before it is looked at.
    monkeypatch.setattr("wagate.rules.settle.FIRST_WAIT", 60.0)
    async with pulling(external_url, tmp_path, database_url) as (world, jobs):
        a1, a2 = await queued(world, "a", "a1", "a2")
        for attempt, wait in ((1, 72.1), (2, 144.1)):
            job = await taken(jobs)
            job = await jobs.finish(job.id, client_id=1, status="failed", lease_id=job.lease_id, error=f"no {attempt}")
            assert (job.id, job.status, job.attempt_count, job.error) == (a1, "queued", attempt, f"no {attempt}")
            assert await nothing(jobs)
            await world.passes(wait)
        job = await taken(jobs)
        job = await jobs.finish(job.id, client_id=1, status="failed", lease_id=job.lease_id, error="no 3")
        assert (job.status, job.attempt_count) == ("failed", 3)
        again = await jobs.retry(a1, client_id=1)
        assert (again.status, again.attempt_count) == ("queued", 3)
        order = []
        while (found := await jobs.take(["t1"], wait=0, lease=60)) is not None:
            order.append(found.id)
            await jobs.finish(found.id, client_id=1, status="completed", lease_id=found.lease_id)
        assert order == [a2, a1]


async def test_a_job_given_back_costs_no_attempt(external_url: str, tmp_path: Path) -> None:
    async with pulling(external_url, tmp_path) as (world, jobs):
        (a1,) = await queued(world, "a", "a1")
        job = await taken(jobs)
        job = await jobs.finish(a1, client_id=1, status="queued", lease_id=job.lease_id)
        assert (job.status, job.attempt_count) == ("queued", 0)
        assert (await taken(jobs)).id == a1


async def test_whoever_waits_gets_the_job_when_it_comes(external_url: str, tmp_path: Path) -> None:
    async with pulling(external_url, tmp_path) as (world, jobs):
        got: list[Job | None] = []

        async def wait() -> None:
            got.append(await jobs.take(["t1", "t2"], wait=PATIENCE, lease=60))

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked(0.05)
                (a1,) = await queued(world, "a", "a1", target="t2")
        assert got[0] is not None
        assert (got[0].id, got[0].target) == (a1, "t2")


async def test_jobs_past_their_time_are_expired(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with pulling(external_url, tmp_path, database_url) as (world, jobs):
        a1, a2 = await queued(world, "a", "a1", "a2", expires=HOUR)
        (b1,) = await queued(world, "b", "b1", expires=HOUR)
        (c1,) = await queued(world, "c", "c1")
        job = await taken(jobs, lease=3 * HOUR)
        assert job.id == a1
        await world.passes(2 * HOUR)
        # The sweep that the time brings, or the next one to take a job, whoever comes first.
        assert (await taken(jobs)).id == c1
        await world.status(b1, "expired")
        assert (await jobs.get(b1, client_id=1)).status == "expired"
        assert (await jobs.finish(a1, client_id=1, status="completed", lease_id=job.lease_id)).status == "completed"
        await world.status(a2, "expired")
        assert (await jobs.retry(b1, client_id=1)).status == "queued"
        assert (await taken(jobs)).id == b1


async def test_jobs_survive_a_queue_that_forgets(external_url: str, tmp_path: Path, database_url: str) -> None:
    async with pulling(external_url, tmp_path, database_url) as (world, jobs):
        a1, a2 = await queued(world, "a", "a1", "a2")
        job = await taken(jobs)
        assert world.consumers is not None
        await world.consumers._queues.pull("n8n:t1").forget()
        world.consumers.sweep()
        await world.passes(31)
        with trio.fail_after(PATIENCE):
            while (await world.consumers._queues.pull("n8n:t1").stats()).depth == 0:
                await trio.testing.wait_all_tasks_blocked(0.01)
        # The lease is in the tables as well.
        assert await nothing(jobs)
        assert (await jobs.finish(a1, client_id=1, status="completed", lease_id=job.lease_id)).status == "completed"
        await world.passes(31)
        assert (await taken(jobs)).id == a2
