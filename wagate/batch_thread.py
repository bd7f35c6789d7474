"""A thread that takes what is waiting and does it as one batch: the bridge from trio to blocking libraries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import outcome
import trio

T = TypeVar("T")
R = TypeVar("R")


class BatchThread(Generic[T, R]):
    """One long-lived thread fed by a queue.

    A hop to a thread costs as much as ten small pieces of work, so what crosses is a batch: everything that came in
    while the last batch ran. ``run`` gets the items in order of arrival and returns one outcome for each.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[T]], Sequence[outcome.Outcome[R]]],
        *,
        most: int,
        linger: float = 0.0,
    ) -> None:
        """``most`` is the largest batch; ``run`` is called in the thread and must not raise.

        ``linger`` is how many seconds to wait for more when fewer are waiting than were in the last batch. After a
        batch of one, which is what an idle process sees, there is no such wait.
        """
        self._run = run
        self._most = most
        self._linger = linger
        self._last = 0
        self._waiting: SimpleQueue[tuple[T, _Waiter[R]] | None] = SimpleQueue()
        """Nothing comes after None."""
        self._open = True
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    async def submit(self, item: T) -> R:
        """Hand in one item, wait for its outcome. Cancelling the wait does not stop the work.

        Raises:
            RuntimeError: the thread was closed.
        """
        if not self._open:
            raise RuntimeError(f"{self._thread.name} is closed")
        waiter: _Waiter[R] = _Waiter()
        self._waiting.put((item, waiter))
        return await waiter.wait()

    async def close(self) -> None:
        """Finish what is waiting, then end the thread."""
        self._open = False
        self._waiting.put(None)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)

    def _take(self) -> list[tuple[T, _Waiter[R]]]:
        """What is waiting, once there is something; nothing at the end."""
        entry = self._waiting.get()
        if self._linger and self._open and 1 + self._waiting.qsize() < self._last:
            time.sleep(self._linger)
        batch: list[tuple[T, _Waiter[R]]] = []
        with suppress(Empty):
            while entry is not None:
                batch.append(entry)
                if len(batch) == self._most:
                    break
                entry = self._waiting.get_nowait()
            else:
                self._waiting.put(None)  # For the next look, or the one after the last.
        self._last = len(batch)
        return batch

    def _loop(self) -> None:
        while batch := self._take():
            results = self._run([item for item, _ in batch])
            self._token.run_sync_soon(_deliver, [waiter for _, waiter in batch], results)


class _Waiter(Generic[R]):
    """The task that waits for one item."""

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = None

    async def wait(self) -> R:
        self.task = trio.lowlevel.current_task()

        def abandon(_: object) -> trio.lowlevel.Abort:
            self.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        result: R = await trio.lowlevel.wait_task_rescheduled(abandon)
        return result


def _deliver(waiters: Sequence[_Waiter[R]], results: Sequence[outcome.Outcome[R]]) -> None:
    for waiter, result in zip(waiters, results, strict=True):
        if waiter.task is not None:
            trio.lowlevel.reschedule(waiter.task, result)
