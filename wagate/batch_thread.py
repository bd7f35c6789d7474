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


class BatchThread(trio.abc.Instrument, Generic[T, R]):
    """One long-lived thread fed by a queue.

    A hop to a thread costs as much as ten small pieces of work, so what crosses is a batch: what all tasks hand in
    during one turn of trio's loop wakes the thread once, and what comes in while a batch runs is the next one. ``run``
    gets the items in order of arrival and returns one outcome for each.
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
        self._turn: list[tuple[T, _Waiter[R]]] = []
        """Handed in during this turn of the loop."""
        self._waiting: SimpleQueue[Sequence[tuple[T, _Waiter[R]]]] = SimpleQueue()
        """Turns that have ended. Nothing comes after an empty one."""
        self._taken: list[tuple[T, _Waiter[R]]] = []
        """By the thread, for this batch and those after it."""
        self._open = True
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()
        trio.lowlevel.add_instrument(self)

    async def submit(self, item: T) -> R:
        """Hand in one item, wait for its outcome. Cancelling the wait does not stop the work.

        Raises:
            RuntimeError: the thread was closed.
        """
        if not self._open:
            raise RuntimeError(f"{self._thread.name} is closed")
        waiter: _Waiter[R] = _Waiter()
        self._turn.append((item, waiter))
        return await waiter.wait()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002  (trio's)
        """Every task that could run has had its turn: what they handed in is for the thread."""
        if self._turn:
            self._waiting.put(self._turn)
            self._turn = []

    async def close(self) -> None:
        """Finish what is waiting, then end the thread."""
        if self._open:
            self._open = False
            trio.lowlevel.remove_instrument(self)
            self.before_io_wait(0)
            self._waiting.put([])
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)

    def _take(self) -> list[tuple[T, _Waiter[R]]]:
        """What is waiting, once there is something; nothing at the end."""
        if not self._taken:
            self._taken = list(self._waiting.get())
        self._gather()
        if self._linger and self._open and len(self._taken) < self._last:
            time.sleep(self._linger)
            self._gather()
        batch, self._taken = self._taken[: self._most], self._taken[self._most :]
        self._last = len(batch)
        return batch

    def _gather(self) -> None:
        """Take what is waiting now, as far as the batch has room."""
        with suppress(Empty):
            while len(self._taken) < self._most:
                turn = self._waiting.get_nowait()
                if not turn:
                    self._waiting.put(turn)  # For the look after the last.
                    break
                self._taken += turn

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
