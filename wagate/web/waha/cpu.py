"""A CPU profile of the gateway's threads, in the form of Chrome's tools (``.cpuprofile``).

Source of the form: Chrome DevTools Protocol, domain Profiler, type ``Profile``. It has names of files and functions
alone, never a value.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FrameType
from typing import Annotated, Any, Final

import msgspec
import trio
from msgspec import Meta

from wagate.errors import ConflictError
from wagate.web.waha.desk import Call, Row

EVERY: Final = 0.005
"""Seconds between two samples."""
DEEPEST: Final = 200
"""Frames of a stack; what is called deeper counts for the last of them."""
OTHERS: Final = "other thread"
"""Threads of libraries and of trio's pool change their names, which plugins may choose."""
_THREADS_CPU: Final = 4 | 2
"""CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED."""
MICRO: Final = 1_000_000
ONE: Final = threading.Lock()
"""One profile at a time: it is of the whole process."""


class CpuQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How long."""

    seconds: Annotated[float, Meta(ge=1, le=30)] = 5


class Tree:
    """Nodes of a profile: each is a function, called along one path."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, CodeType | str], int] = {}
        self.nodes: list[dict[str, Any]] = []
        self.root = self.under(0, "(root)")
        self.idle = self.under(self.root, "(idle)")

    def under(self, parent: int, called: CodeType | str) -> int:
        """The id of what ``parent`` (0: nothing) calls; a text is a thread, or a name of Chrome's."""
        key = (parent, called)
        if key not in self._ids:
            self._ids[key] = len(self.nodes) + 1
            frame = _named(called) if isinstance(called, str) else _shown(called)
            self.nodes.append({"id": len(self.nodes) + 1, "callFrame": frame, "hitCount": 0, "children": []})
            if parent:
                self.nodes[parent - 1]["children"].append(len(self.nodes))
        return self._ids[key]

    def of_stack(self, thread: str, frame: FrameType | None) -> int:
        """The node of a thread's innermost function."""
        codes = []
        while frame is not None:
            codes.append(frame.f_code)
            frame = frame.f_back
        node = self.under(self.root, f"({thread})")
        for code in codes[: -DEEPEST - 1 : -1]:
            node = self.under(node, code)
        return node


def _named(name: str) -> dict[str, Any]:
    return {"functionName": name, "scriptId": "0", "url": "", "lineNumber": -1, "columnNumber": -1}


def _shown(code: CodeType) -> dict[str, Any]:
    """Lines begin with 0."""
    place = {"url": code.co_filename, "lineNumber": code.co_firstlineno - 1, "columnNumber": 0}
    return {"functionName": code.co_qualname, "scriptId": "0", **place}


class Spent:
    """How much CPU each thread used since it was last asked."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}

    def since(self, thread: threading.Thread, most: int) -> int:
        """Microseconds; of a thread that is new, 0. Where the system does not tell (macOS), ``most``."""
        if sys.platform != "linux":
            return most
        if thread.native_id is None:
            return 0
        # The clock of a thread by its number (Linux, posix-timers_types.h). pthread_getcpuclockid is not asked: a
        # thread that has just ended would crash the process there, and is an error here.
        try:
            now = time.clock_gettime_ns((~thread.native_id << 3) | _THREADS_CPU)
        except OSError:
            return 0
        before = self._before.get(thread.native_id, now)
        self._before[thread.native_id] = now
        return (now - before) // 1000


def profile(seconds: float, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Sample until the time is over, or it is stopped: what threads spent on a CPU, and the rest as idle.

    Threads that run at once, in C code, are shown one after the other: the profile may be longer than the time.
    """
    tree, spent = Tree(), Spent()
    samples, deltas = list[int](), list[int]()
    began = last = time.monotonic()
    while last < began + seconds and not stopped():
        time.sleep(EVERY)
        now = time.monotonic()
        past = int((now - last) * MICRO)
        for node, used in [*_busy(tree, spent, past)]:
            samples.append(node)
            deltas.append(used)
            past -= used
        if past > 0:
            samples.append(tree.idle)
            deltas.append(past)
        last = now
    for node in samples:
        tree.nodes[node - 1]["hitCount"] += 1
    start = int(began * MICRO)
    whole = {"startTime": start, "endTime": start + sum(deltas)}
    return {"nodes": tree.nodes, **whole, "samples": samples, "timeDeltas": deltas}


def _busy(tree: Tree, spent: Spent, past: int) -> Iterator[tuple[int, int]]:
    """(node, microseconds) of each thread that used a CPU, but for this one."""
    frames = sys._current_frames()  # noqa: SLF001  (the documented way to see other threads' stacks)
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or thread is threading.current_thread():
            continue
        used = spent.since(thread, past)
        if used > 0:
            ours = thread is threading.main_thread() or thread.name.startswith("wagate-")
            yield tree.of_stack(thread.name if ours else OTHERS, frame), used


def _alone(seconds: float, stop: threading.Event) -> bytes:
    """The profile as JSON. ConflictError."""
    if not ONE.acquire(blocking=False):
        raise ConflictError("another profile is being taken: try again when it is over")
    try:
        return msgspec.json.encode(profile(seconds, stop.is_set))
    finally:
        ONE.release()


async def _profile(call: Call) -> Any:
    """ForbiddenError; ConflictError: one is under way."""
    call.desk.auth.admin()
    stop = threading.Event()
    try:
        take = partial(_alone, call.query.seconds, stop)
        # With a limiter of its own, so that it takes no place of the threads that others wait for.
        whole = await trio.to_thread.run_sync(take, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))
    finally:
        stop.set()
    return msgspec.Raw(whole)


CPU = Row(
    verb="GET /server/debug/cpu",
    doc="A CPU profile of this process.",
    handle=_profile,
    query=CpuQuery,
    sessionless=True,
)
