"""How long a connection may be idle."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

import trio
from hypercorn.trio.worker_context import WorkerContext

FIRST: Final = 5.0
"""Seconds for the first request of a connection, and between two while there are many connections."""
LATE: Final = 1.0
"""Seconds for the head of a request that had begun to come when the connection's idle time was over."""


class KeepAlive:
    """Stands in for hypercorn's idle task, started and cancelled per request: one scope, whose deadline moves."""

    def __init__(self, context: WorkerContext, timeout: float, *, briefly: Callable[[], bool]) -> None:
        """``timeout``: seconds between two requests; ``briefly``: whether it is `FIRST` seconds at most for now."""
        self._context = context
        self._timeout = timeout
        self._briefly = briefly
        self.idle_since = inf
        """trio's time; infinite while a request runs."""
        self._extended = self._ended = False
        self.scope = trio.CancelScope()
        """Around the connection's reads; its deadline is infinite while a request runs."""

    async def restart(self, *_: object) -> None:
        """The connection is idle, from now on if it was not before: what trickles in gains no time."""
        if self._context.terminated.is_set():
            self.scope.deadline = -inf
        elif self.scope.deadline == inf:
            self.idle_since = trio.current_time()
            seconds = min(FIRST, self._timeout) if self._briefly() else self._timeout
            self.scope.deadline = self.idle_since + seconds

    async def stop(self) -> None:
        """A request has begun."""
        self.scope.deadline = self.idle_since = inf
        self._extended = False

    def extend(self) -> bool:
        """The time is over, but a request may have come in it that a busy machine had no turn for; once between two."""
        now = trio.current_time()
        if self._extended or self._ended or not -inf < self.scope.deadline <= now:
            return False
        self._extended = True
        self.scope = trio.CancelScope(deadline=now + LATE)
        return True

    def end(self) -> None:
        """Nothing is read any more."""
        self._ended = True
        self.scope.cancel()

    def expire_if_idle(self) -> bool:
        """Let an idle connection end now; whether it is one."""
        idle = self.scope.deadline < inf
        if idle:
            self.scope.deadline = -inf
        return idle
