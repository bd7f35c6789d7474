"""When everything in this process has come to rest, its threads too: the moment to set a clock forward."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator
from functools import cache

import trio
import trio.testing

from wagate.batch_thread import BatchThread

CUSHION = 0.02
"""Seconds of quiet: longer than the product's own short pauses, in which more is gathered."""
AGAIN = 0.01
"""Seconds of quiet at the second look, longer than the pauses between two round trips to the queue."""
PATIENCE = 60.0
"""Seconds after which what still runs hangs."""
_IN_A_THREAD = frozenset(inspect.unwrap(wait).__code__ for wait in (BatchThread.submit, trio.to_thread.run_sync))


async def at_rest() -> None:
    """Wait until all tasks wait for time or for the outside, and none for a thread (database, Valkey, names).

    `trio.testing.wait_all_tasks_blocked` alone takes a task for blocked that waits for a commit. A clock that is set
    forward then is set forward too early: what is written down afterwards waits as long once more.

    It also believes in a quiet that nobody listened to: a process that was stopped while it waited for its sockets
    takes the time for up when it goes on, without a look at what came. And what was sent over a socket may be on its
    way still. Hence the second look, after a byte has gone through the machine's own network behind all the others.
    """
    with trio.move_on_after(PATIENCE):
        while True:
            await trio.testing.wait_all_tasks_blocked(CUSHION)
            if not _threads_at_work():
                _go_behind_all_that_was_sent()
                await trio.testing.wait_all_tasks_blocked(AGAIN)
                if not _threads_at_work():
                    return
            await trio.sleep(CUSHION / 4)
    raise AssertionError(f"not at rest after {PATIENCE:g} s, for threads work for {_threads_at_work() or 'nobody'}")


def _threads_at_work() -> list[str]:
    """Tasks that wait for a thread."""
    return [task.name for task in _tasks(trio.lowlevel.current_root_task()) if _in_a_thread(task)]


def _in_a_thread(task: trio.lowlevel.Task) -> bool:
    return any(frame.f_code in _IN_A_THREAD for frame, _ in task.iter_await_frames())


def _tasks(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    if task is not None:
        yield task
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from _tasks(child)


def _go_behind_all_that_was_sent() -> None:
    """Send a byte to ourselves and wait for it, in the thread of the loop: nothing else may be sent meanwhile."""
    here, there = _wire()
    here.sendall(b".")
    there.recv(1)


@cache
def _wire() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
    here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return here, there
