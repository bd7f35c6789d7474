"""A stop has an end: what still runs long after the drain is named, and the process exits all the same."""

from __future__ import annotations

import gc
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import structlog
import trio

from wagate.process.watchdog import OURS

GRACE: Final = 15.0
"""Seconds beyond the drain: two writes may wait for a locked SQLite, 5 s each."""
AT_ONCE: Final = 1.0
"""Seconds that the loop has to see a second signal."""
ANSWERED: Final = 0.2
"""Seconds in which the answer to who asks for a stop goes out; what still runs then is waited for."""
MOST: Final = 20
"""Tasks that are named."""

log = structlog.get_logger("wagate")


class HardEnd:
    """Waits in a thread, so that code which blocks the loop can't prevent it."""

    def __init__(
        self, seconds: float, *, exits: Callable[[int], object] = os._exit, root: trio.lowlevel.Task | None = None
    ) -> None:
        """``seconds`` from a stop's begin; made in the loop's thread. ``root``: the tasks below it are looked at."""
        self._seconds = seconds
        self._exits = exits
        found = root or trio.lowlevel.current_root_task()
        assert found is not None  # the loop runs
        self._root = found
        self._loop_thread = threading.get_ident()
        self._armed = False
        self._signals = 0
        self._over = threading.Event()

    @contextmanager
    def armed_by(self, *numbers: int) -> Iterator[None]:
        """The first of these signals arms it, a second one all but ends it; whoever had them gets them, too."""
        before = {number: signal.getsignal(number) for number in numbers}

        def receive(number: int, frame: FrameType | None) -> None:
            self._signals += 1
            self.arm()
            if self._signals == 2:
                self._end_in(AT_ONCE)
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)

        for number in numbers:
            signal.signal(number, receive)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._over.set()

    def arm(self) -> None:
        """A stop begins, whoever asked for it: the time runs, once. Only signals are counted."""
        if not self._armed:
            self._armed = True
            self._end_in(self._seconds)

    def _end_in(self, seconds: float) -> None:
        threading.Thread(target=self._wait, args=(seconds,), name="wagate-hard-end", daemon=True).start()

    def _wait(self, seconds: float) -> None:
        if self._over.wait(seconds):
            return
        try:
            log.error("stop took too long", seconds=seconds, held_by=self.held())
        finally:
            self._exits(1)

    def held(self) -> list[str]:
        """Who still runs: the plugin (else the package), its line, and the task that it runs in."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  (there is no public way)
        blocking = [] if frame is None else [_told(list(_outwards(frame))[::-1], "the loop's thread")]
        tasks = [_told(list(_inwards(task.coro)), task.name) for task in _below(self._root)]
        return [each for each in (*blocking, *tasks) if each][:MOST]


async def stop_when_asked(asked: trio.Event, stop: trio.Event) -> None:
    """The API asks for a stop: begin it once that is answered."""
    await asked.wait()
    await trio.sleep(ANSWERED)
    log.info("stopping", asked_by="api", drain=True)
    stop.set()


def _told(frames: Sequence[FrameType], task: str) -> str:
    """The innermost line that is not ours; '' when all are, unless the task has a plugin's name."""
    for frame in reversed(frames):
        package = str(frame.f_globals.get("__name__", "?")).partition(".")[0]
        if package not in OURS and package not in sys.stdlib_module_names:
            return f"{package}: {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name} (in {task})"
    return task if task.startswith("lifespan of ") else ""


def _below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _below(child)


def _outwards(frame: FrameType) -> Iterator[FrameType]:
    at: FrameType | None = frame
    while at is not None:
        yield at
        at = at.f_back


def _inwards(awaited: Any) -> Iterator[FrameType]:
    """Frames of a suspended coroutine, outermost first."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None and (generator := _generator_of(awaited)) is not None:
            awaited, frame = generator, generator.ag_frame
        if frame is not None:
            yield frame
        awaited = next(
            (inner for name in ("cr_await", "gi_yieldfrom", "ag_await") if (inner := getattr(awaited, name, None))),
            None,
        )


def _generator_of(awaited: Any) -> Any:
    """The async generator behind an ``anext()``: it has no attribute that says so."""
    return next((each for each in gc.get_referents(awaited) if inspect.isasyncgen(each)), None)
