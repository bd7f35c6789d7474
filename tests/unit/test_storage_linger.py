"""The writer's thread waits for more only when there was more before."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace

import outcome
import pytest
import trio
import trio.testing

from wagate.batch_thread import BatchThread


class Taking:
    """Records batches; the first one is held until `go`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.busy = threading.Event()
        self.go = threading.Event()

    def run(self, items: Sequence[int]) -> list[outcome.Outcome[int]]:
        self.batches.append(list(items))
        self.busy.set()
        self.go.wait(60)
        return [outcome.Value(item) for item in items]


class Lingering:
    """In place of the thread's sleep: lasts until `over`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[float] = []
        self.begun = threading.Event()
        self.over = threading.Event()
        monkeypatch.setattr("wagate.batch_thread.time", SimpleNamespace(sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.begun.set()
        self.over.wait(60)


async def test_after_a_full_batch_a_lone_item_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    taking, lingering = Taking(), Lingering(monkeypatch)
    thread = BatchThread("test", taking.run, most=10, linger=0.5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.submit, 0)
        await trio.to_thread.run_sync(taking.busy.wait)
        for item in (1, 2, 3):
            nursery.start_soon(thread.submit, item)
        await trio.testing.wait_all_tasks_blocked()
        taking.go.set()
    assert lingering.asked == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.submit, 4)
        await trio.to_thread.run_sync(lingering.begun.wait)
        nursery.start_soon(thread.submit, 5)
        await trio.testing.wait_all_tasks_blocked()
        lingering.over.set()
    await thread.close()
    assert [sorted(batch) for batch in taking.batches] == [[0], [1, 2, 3], [4, 5]]
    assert lingering.asked == [0.5]


async def test_one_after_the_other_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    taking, lingering = Taking(), Lingering(monkeypatch)
    taking.go.set()
    lingering.over.set()
    thread = BatchThread("test", taking.run, most=10, linger=0.5)
    assert [await thread.submit(item) for item in range(3)] == [0, 1, 2]
    await thread.close()
    assert taking.batches == [[0], [1], [2]]
    assert lingering.asked == []


async def test_what_tasks_hand_in_during_one_turn_is_one_batch() -> None:
    taking = Taking()
    taking.go.set()
    thread = BatchThread("test", taking.run, most=3)
    async with trio.open_nursery() as nursery:
        for item in range(7):
            nursery.start_soon(thread.submit, item)
    await thread.close()
    assert [len(batch) for batch in taking.batches] == [3, 3, 1]
    assert sorted(item for batch in taking.batches for item in batch) == list(range(7))


async def test_what_is_handed_in_while_it_closes_is_done_or_refused() -> None:
    taking = Taking()
    taking.go.set()
    seen: set[int | str] = set()

    async def submit(thread: BatchThread[int, int]) -> None:
        try:
            seen.add(await thread.submit(7))
        except RuntimeError as error:
            seen.add(str(error))

    for _ in range(40):  # Which of the two comes first is left to chance.
        thread = BatchThread("test", taking.run, most=10)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(submit, thread)
                nursery.start_soon(thread.close)
    assert seen == {7, "test is closed"}
