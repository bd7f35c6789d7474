"""When everything in this process has come to rest, its threads too: the moment to set a clock forward."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import trio
import trio.testing

from wagate.batching import BatchThread

CUSHION = 0.02
"""Seconds of quiet: longer than the product's own short pauses, in which more is gathered."""
PATIENCE = 10.0
"""Seconds after which what still runs is taken for something that hangs on purpose."""
_IN_A_THREAD = frozenset(inspect.unwrap(wait).__code__ for wait in (BatchThread.submit, trio.to_thread.run_sync))


async def at_rest() -> None:
    """Wait until all tasks wait for time or for the outside, and none for a thread (database, Valkey, names).

    `trio.testing.wait_all_tasks_blocked` alone takes a task for blocked that waits for a commit. A clock that is set
    forward then is set forward too early: what is written down afterwards waits as long once more.
    """
    with trio.move_on_after(PATIENCE):
        while True:
            await trio.testing.wait_all_tasks_blocked(CUSHION)
            if not any(_in_a_thread(task) for task in _tasks(trio.lowlevel.current_root_task())):
                return
            await trio.sleep(CUSHION / 4)


def _in_a_thread(task: trio.lowlevel.Task) -> bool:
    return any(frame.f_code in _IN_A_THREAD for frame, _ in task.iter_await_frames())


def _tasks(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    if task is not None:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _tasks(child)
