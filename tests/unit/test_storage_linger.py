"""The writer's thread waits for more only when there was more before."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import outcome
import trio
import trio.testing

from wagate.batching import BatchThread

LONG = 0.5


class Taking:
    """Records batches; the first one is held until `go`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.busy = threading.Event()
        self.go = threading.Event()

    def run(self, items: Sequence[int]) -> list[outcome.Outcome[int]]:
        self.batches.append(list(items))
        self.busy.set()
        self.go.wait(10)
        return [outcome.Value(item) for item in items]


async def test_after_a_full_batch_a_lone_item_waits_for_company() -> None:
    taking = Taking()
    thread = BatchThread("test", taking.run, most=10, linger=LONG)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.submit, 0)
        await trio.to_thread.run_sync(taking.busy.wait)
        for item in (1, 2, 3):
            nursery.start_soon(thread.submit, item)
        await trio.testing.wait_all_tasks_blocked()
        taking.go.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.submit, 4)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(thread.submit, 5)
    await thread.close()
    assert [sorted(batch) for batch in taking.batches] == [[0], [1, 2, 3], [4, 5]]


async def test_one_after_the_other_nobody_waits() -> None:
    taking = Taking()
    taking.go.set()
    thread = BatchThread("test", taking.run, most=10, linger=60.0)
    with trio.fail_after(10):
        assert [await thread.submit(item) for item in range(3)] == [0, 1, 2]
    await thread.close()
    assert taking.batches == [[0], [1], [2]]
