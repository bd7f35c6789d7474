"""Names who holds up the loop: code that blocks can't be isolated, but it can be found."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import trio

log = structlog.get_logger("wagate.process.watchdog")

BEAT = 0.25
"""Seconds between the loop's signs of life."""
PATIENCE = 1.0
"""Seconds without one, after which the stack is logged, once for each stall."""
DEEPEST = 12
"""Innermost frames that are logged."""
OURS = frozenset({"wagate", "trio", "hypercorn", "outcome", "threading", "runpy", "__main__"})
"""Packages that are on every stack."""

Report = Callable[[float, str, list[str]], None]


class Watchdog:
    """A thread that looks whether the loop still turns."""

    def __init__(self, report: Report | None = None) -> None:
        """``report`` takes the seconds, who it is, and the stack; the default logs them."""
        self._report = report or _log_stall
        self._loop_thread = threading.get_ident()
        self._beat = time.monotonic()
        self._over = threading.Event()

    async def beat(self) -> None:
        """The loop's sign of life; runs until cancelled."""
        while True:
            self._beat = time.monotonic()
            await trio.sleep(BEAT)

    def watch(self) -> None:
        """The thread's work."""
        reported = 0.0
        while not self._over.wait(BEAT):
            stalled = time.monotonic() - self._beat
            if stalled > PATIENCE and reported != self._beat:
                reported = self._beat
                frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  (there is no public way)
                if frame is not None:
                    self._report(stalled, culprit(frame), stack_of(frame))

    def stop(self) -> None:
        """End the thread."""
        self._over.set()


@contextmanager
def watching(report: Report | None = None) -> Iterator[Watchdog]:
    """Watch the loop of this thread; start `Watchdog.beat` as a task beside it."""
    watchdog = Watchdog(report)
    thread = threading.Thread(target=watchdog.watch, name="wagate-watchdog", daemon=True)
    thread.start()
    try:
        yield watchdog
    finally:
        watchdog.stop()
        thread.join()


def culprit(frame: FrameType) -> str:
    """The plugin whose code is innermost on the stack, else the innermost package."""
    packages = [str(each.f_globals.get("__name__", "?")).partition(".")[0] for each in _outwards(frame)]
    plugins = [name for name in packages if name.startswith("wagate_")]
    foreign = [name for name in packages if name not in OURS and name not in sys.stdlib_module_names]
    return (plugins or foreign or packages)[0]


def stack_of(frame: FrameType) -> list[str]:
    """``file:line function`` of the innermost frames, innermost last. No values: they may be bodies or tokens."""
    return [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_stack(frame)[-DEEPEST:]]


def _outwards(frame: FrameType) -> Iterator[FrameType]:
    at: FrameType | None = frame
    while at is not None:
        yield at
        at = at.f_back


def _log_stall(seconds: float, who: str, stack: list[str]) -> None:
    log.warning("the loop is held up", seconds=round(seconds, 1), by=who, stack="\n".join(stack))
