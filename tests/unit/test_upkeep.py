"""What is done now and then, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from wagate.clock import Clock
from wagate.consumers.queues import Queues
from wagate.errors import QueueError
from wagate.process.maintenance import CLEAN, FIRST_CLEAN, every
from wagate.queue.wakeup import Wakeup
from wagate.storage.events.intake import StoredDelivery


async def test_old_rows_go_soon_after_a_start_and_then_every_hour() -> None:
    clock, done = Clock(), []

    async def clean() -> None:
        done.append(clock.monotonic())

    async with trio.open_nursery() as nursery:
        began = clock.monotonic()
        nursery.start_soon(lambda: every(clock, CLEAN, clean, first=FIRST_CLEAN))
        for seconds in (FIRST_CLEAN, CLEAN, CLEAN):
            await wait_all_tasks_blocked()
            clock.shift(seconds)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [round((at - began) / 60) for at in done] == [1, 61, 121]


class AwayQueue:
    """A queue whose Redis is away, or not."""

    away = True

    async def enqueue(self, items: list[Any], **_options: Any) -> int:
        if self.away:
            raise QueueError("Redis can't be reached")
        return 0


async def test_a_doorbell_that_can_not_be_rung_is_told_of_once_and_counted() -> None:
    queue: Any = AwayQueue()
    queues = Queues(lambda _name: queue, Wakeup(Clock()))
    stored = [StoredDelivery("k", "webhook:w", "1", "push")]
    with capture_logs() as logs:
        for _ in range(500):
            await queues.ring(stored)
        queue.away = False
        await queues.ring(stored)
        await queues.ring(stored)
    assert [line["event"] for line in logs] == ["doorbell not rung", "doorbell rung again"]
    assert logs[1]["deliveries_before"] == 500


async def test_the_consumer_takes_doorbells_along_and_what_it_leaves_is_found_by_the_sweep() -> None:
    queue: Any = AwayQueue()
    wakeup, sweeps = Wakeup(Clock()), []
    queues = Queues(lambda _name: queue, wakeup)
    queues.connect(sweep=lambda: sweeps.append(1), hurry=lambda _keys: None, begin=lambda _bell: False)
    stored = [StoredDelivery("k", "webhook:w", str(number), "push") for number in range(3)]
    with queues.carried():
        queues.tell(stored[:2])
        assert await wakeup.wait(0)
        assert [bell.id for bell in queues.bells()] == ["0", "1"]
        assert not queues.more_bells
        queues.rung(2, None)
        queues.tell(stored[2:])
        assert not sweeps
    assert sweeps
    assert not queues.more_bells


async def test_doorbells_of_a_pump_that_breaks_are_found_by_the_sweep() -> None:
    queue: Any = AwayQueue()
    sweeps: list[int] = []
    queues = Queues(lambda _name: queue, Wakeup(Clock()))
    queues.connect(sweep=lambda: sweeps.append(1), hurry=lambda _keys: None, begin=lambda _bell: False)
    with pytest.raises(ValueError, match="broken"), queues.carried():  # noqa: PT012  (what the consumer does)
        queues.tell([StoredDelivery("k", "webhook:w", "1", "push")])
        queues.bells()
        raise ValueError("broken")
    assert sweeps
