"""The machine's clock is set back by an hour: what waits is not made to wait for that hour."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from tests.inprocess import Gateway, running_gateway
from tests.sink import Got, Sink, https_sink
from wagate.consumers.clock_steps import LOOK
from wagate.process.maintenance import CLEAN

BACK = -3600.0
TABLES = {"delivery": {"max_retries": 3}}


class Receiver:
    """Answers 503 while it is down."""

    down = True

    def __call__(self, _got: Got) -> int:
        return 503 if self.down else 200


@asynccontextmanager
async def site(receiver: Receiver) -> AsyncIterator[tuple[Gateway, Sink]]:
    """A gateway and a receiver, and the first look at the clock behind them."""
    async with https_sink(receiver) as sink, running_gateway(TABLES, ca_file=sink.ca_file) as gateway:
        await gateway.passes(LOOK)
        yield gateway, sink


async def goes_down(gateway: Gateway) -> None:
    """Eight chats wait for the receiver, until it counts as down."""
    for number in range(8):
        await gateway.post(str(number), chat=f"+155500000{number}")
    with capture_logs() as logs:
        await gateway.passes_until(lambda: any(line["event"] == "target is down" for line in logs), step=2, most=120)


async def test_a_retry_comes_when_it_was_to_come() -> None:
    receiver = Receiver()
    async with site(receiver) as (gateway, sink):
        hook = await gateway.register(sink.url)
        await gateway.post("1")
        await gateway.event(hook, "1", "pending", attempts=1)
        receiver.down = False
        gateway.clock.step(BACK)
        await gateway.passes_until(lambda: bool(sink.accepted), step=1, most=15)
        assert [got.json["message_id"] for got in sink.accepted] == ["1"]


async def test_a_target_that_is_down_is_probed_when_it_was_to_be_probed() -> None:
    receiver = Receiver()
    async with site(receiver) as (gateway, sink):
        hook = await gateway.register(sink.url)
        await goes_down(gateway)
        receiver.down = False
        gateway.clock.step(BACK)
        await gateway.passes_until(lambda: len(sink.accepted) == 8, step=5, most=120)
        assert (await gateway.webhook(hook))["status"] == "active"


async def test_a_lease_ends_when_it_was_to_end() -> None:
    async with running_gateway() as gateway:
        await gateway.passes(LOOK)
        job = await gateway.post("1")
        taken = await gateway.ask("GET", "/queue/next-job", params={"lease": 5})
        assert taken["job_id"] == job["job_id"]
        gateway.clock.step(BACK)
        await gateway.passes(LOOK)
        assert "job_id" not in await gateway.ask("GET", "/queue/next-job")
        await gateway.passes(5)
        again = await gateway.ask("GET", "/queue/next-job")
        assert again["job_id"] == job["job_id"]


@pytest.mark.parametrize("seconds", [-0.5, 0.5, 200.0])
async def test_a_small_step_moves_nothing(seconds: float) -> None:
    async with running_gateway() as gateway:
        await gateway.passes(LOOK)
        with capture_logs() as logs:
            gateway.clock.step(seconds)
            await gateway.passes(3 * LOOK)
        assert not [line for line in logs if "clock" in line["event"]]


async def test_a_clock_that_is_set_ahead_by_days_costs_no_message_and_switches_nothing_off() -> None:
    receiver = Receiver()
    async with site(receiver) as (gateway, sink):
        hook = await gateway.register(sink.url)
        await goes_down(gateway)
        gateway.clock.step(6 * 86400)
        for _ in range(20):
            await gateway.passes(60)  # Sweeps, probes that fail, and looks at what has failed for long.
        assert {row["status"] for row in (await gateway.ask("GET", "/api/jobs?connector=webhook"))["data"]} == {
            "pending"
        }
        receiver.down = False
        await gateway.passes_until(lambda: len(sink.accepted) == 8, step=60, most=3600)
        assert (await gateway.webhook(hook))["is_active"] is True


async def test_a_clock_that_is_set_ahead_by_years_and_back_deletes_nothing() -> None:
    async with running_gateway() as gateway:
        await gateway.passes(LOOK)
        job = await gateway.post("1")
        taken = await gateway.ask("GET", "/queue/next-job")
        done = {"status": "completed", "lease_id": taken["lease_id"]}
        await gateway.ask("PATCH", f"/queue/job/{taken['job_id']}", json=done)
        gateway.clock.step(400 * 86400)
        with capture_logs() as logs:
            await gateway.passes_until(
                lambda: any(each["event"] == "old rows deleted" for each in logs), step=60, most=2 * CLEAN
            )
        assert next(each for each in logs if each["event"] == "old rows deleted")["events"] == 0
        gateway.clock.step(-400 * 86400)
        await gateway.passes(LOOK)
        assert (await gateway.ask("GET", f"/api/jobs/{job['job_id']}"))["status"] == "delivered"


async def test_files_nobody_has_go_by_the_time_before_a_leap() -> None:
    async with running_gateway() as gateway:
        await gateway.passes(LOOK)
        [folder] = [each for each in gateway.folder.rglob("media") if each.is_dir()] or [
            gateway.folder / "data" / "media"
        ]
        for sha256, hours in (("aa" * 32, 2), ("bb" * 32, 0)):
            (folder / sha256[:2]).mkdir(parents=True)
            (folder / sha256[:2] / sha256).write_bytes(b"x")
            at = gateway.clock.time() - hours * 3600
            os.utime(folder / sha256[:2] / sha256, (at, at))
        gateway.clock.step(3 * 86400)  # or it was off for so long, and is on for some hours only
        with capture_logs() as logs:
            await gateway.passes_until(
                lambda: any(each["event"] == "old rows deleted" for each in logs), step=60, most=2 * CLEAN
            )
        assert [each.name[:2] for each in folder.glob("??/*")] == ["bb"]
