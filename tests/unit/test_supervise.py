"""Tasks that fail are started again."""

from __future__ import annotations

import os
import resource
from typing import Any, cast

import pytest
import trio

from wagate.clock import Clock
from wagate.consumers.attempt import OURS_AGAIN, attempt
from wagate.consumers.tasks import supervise
from wagate.errors import Reject, Retry
from wagate.hooks.contracts import Delivery, Handler
from wagate.http.backend import RESERVE
from wagate.http.client import HttpClient
from wagate.http.errors import HttpError
from wagate.http.guard import Guard, parse_networks
from wagate.process.checkup import AGAIN, EVERY, FIRST, Checkup
from wagate.rules.states import Accepted, Failed, Postponed, Rejected
from wagate.testing import make_delivery
from wagate.web.api.doctor import DoctorLine


class Steps(Clock):
    """Time passes by sleeping alone."""

    passed = 0.0

    async def sleep(self, seconds: float) -> None:
        await trio.lowlevel.checkpoint()
        self.passed += seconds

    def monotonic(self) -> float:
        return self.passed


async def test_a_task_that_fails_is_started_again_with_growing_waits_and_one_that_returns_is_not() -> None:
    clock, begun = Steps(), []

    async def task() -> None:
        begun.append(clock.passed)
        if len(begun) < 4:
            raise RuntimeError("no")

    await supervise("x", task, clock)
    assert begun == [0, 1, 3, 7]


async def test_the_doctor_asks_again_soon_while_something_fails_and_rarely_while_all_is_well() -> None:
    clock, asked = Steps(), list[tuple[float, int]]()
    checkup = Checkup(clock)

    async def examine(*, at_once: int = 8) -> list[DoctorLine]:
        asked.append((clock.passed, at_once))
        if len(asked) == 4:
            raise RuntimeError("enough")
        return [DoctorLine(level="fail" if len(asked) == 1 else "warn", part="clock", what="time", detail="")]

    checkup.ask_by(examine)
    with pytest.raises(RuntimeError, match="enough"):
        await checkup.run()
    assert asked == [(each, 1) for each in (FIRST, FIRST + AGAIN, FIRST + AGAIN + EVERY, FIRST + AGAIN + 2 * EVERY)]
    assert checkup.failing == []


async def test_one_part_is_asked_again_and_what_failed_elsewhere_is_still_known() -> None:
    checkup, level = Checkup(Steps()), "fail"

    async def examine(*, part: str = "") -> list[DoctorLine]:
        parts = [part] if part else ["account main", "clock"]
        return [DoctorLine(level=cast("Any", level), part=each, what="token", detail="") for each in parts]

    checkup.ask_by(examine)
    await checkup.now()
    level = "ok"
    assert [each.part for each in await checkup.now(part="account main")] == ["account main"]
    assert [each.part for each in checkup.failing] == ["clock"]
    assert checkup.but_for({"clock"}) == []


async def tried(error: BaseException | None) -> object:
    async def handle(_delivery: Delivery) -> None:
        if error is not None:
            raise error

    delivery = make_delivery(target="w")
    return await attempt(Handler(name="x", targets=lambda _event: (), handle=handle), delivery, 60)


async def test_what_a_handler_raises_says_what_happened() -> None:
    assert await tried(None) == Accepted()
    assert await tried(Retry("Server error (503)", after=7, http_status=503, response="r")) == Failed(
        error="Server error (503)", http_status=503, response="r", after=7
    )
    assert await tried(Reject("Client error (410)", http_status=410, disable=True)) == Rejected(
        error="Client error (410)", http_status=410, disable=True
    )
    group = ExceptionGroup("nursery", [ExceptionGroup("inner", [Reject("no")]), ValueError("secret")])
    assert await tried(group) == Rejected(error="no")


async def test_descriptors_that_ran_out_here_are_no_fault_of_the_target() -> None:
    """A real socket that can't be opened, whatever the connector makes of it."""
    client = HttpClient(guard=Guard(allow_networks=parse_networks(["127.0.0.0/8"])), allow_http=True)

    async def handle(_delivery: Delivery) -> None:
        try:
            await client.request("POST", "http://127.0.0.1:9/")
        except HttpError as error:
            raise Retry(error.reason) from error

    handler = Handler(name="x", targets=lambda _event: (), handle=handle)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    refused = await attempt(handler, make_delivery(target="w"), 60)
    assert isinstance(refused, Failed)
    assert "ECONNREFUSED" in (refused.error or "")
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        put_off = await attempt(handler, make_delivery(target="w"), 60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert put_off == Postponed(error="EMFILE on the gateway's side", after=OURS_AGAIN)
    assert await tried(Reject("no")) == Rejected(error="no")
    circular = ValueError("x")
    circular.__cause__ = circular
    assert await tried(circular) == Failed(error="ValueError")


async def test_the_last_descriptors_are_left_to_what_comes_in() -> None:
    client = HttpClient(guard=Guard(allow_networks=parse_networks(["127.0.0.0/8"])), allow_http=True)

    async def handle(_delivery: Delivery) -> None:
        await client.request("POST", "http://127.0.0.1:9/")

    handler = Handler(name="x", targets=lambda _event: (), handle=handle)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + RESERVE, hard))
    try:
        put_off = await attempt(handler, make_delivery(target="w"), 60)
        os.close(os.open(os.devnull, os.O_RDONLY))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert put_off == Postponed(error="EMFILE on the gateway's side", after=OURS_AGAIN)


async def test_cancelled_passes_through_a_handler() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()

        async def handle(_delivery: Delivery) -> None:
            await trio.sleep_forever()

        delivery = make_delivery(target="w")
        await attempt(Handler(name="x", targets=lambda _event: (), handle=handle), delivery, 60)
        raise AssertionError("not cancelled")
    assert scope.cancelled_caught
