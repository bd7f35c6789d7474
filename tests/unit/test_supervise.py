"""Tasks that fail are started again."""

from __future__ import annotations

import trio
import trio.testing

from wagate.clock import Clock
from wagate.consumers.attempt import attempt
from wagate.consumers.states import Accepted, Failed, Rejected
from wagate.consumers.tasks import supervise
from wagate.errors import Reject, Retry
from wagate.hooks.contracts import Delivery, Handler


async def test_a_task_that_fails_is_started_again_with_growing_waits_and_one_that_returns_is_not() -> None:
    clock, begun = Clock(), []

    async def task() -> None:
        begun.append(clock.monotonic())
        if len(begun) < 4:
            raise RuntimeError("no")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, "x", task, clock)
        for wait in (1, 2, 4):
            await trio.testing.wait_all_tasks_blocked(0.01)
            before = len(begun)
            clock.shift(wait - 0.5)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(begun) == before
            clock.shift(0.5)
    assert len(begun) == 4


async def tried(error: BaseException | None) -> object:
    async def handle(_delivery: Delivery) -> None:
        if error is not None:
            raise error

    delivery = Delivery(id="1", event=None, target="w", attempt=1, created_at=None)  # type: ignore[arg-type]
    return await attempt(Handler(name="x", targets=lambda _event: (), handle=handle), delivery)


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


async def test_cancelled_passes_through_a_handler() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()

        async def handle(_delivery: Delivery) -> None:
            await trio.sleep_forever()

        delivery = Delivery(id="1", event=None, target="w", attempt=1, created_at=None)  # type: ignore[arg-type]
        await attempt(Handler(name="x", targets=lambda _event: (), handle=handle), delivery)
        raise AssertionError("not cancelled")
    assert scope.cancelled_caught
