"""Take connections in: also when descriptors run out, and never so many that nothing else gets one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

import structlog
import trio

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
Listener = trio.SocketListener | trio.SSLListener[trio.SocketStream]

SPARE = 32
"""Descriptors that stand by: when all others are gone, webhooks still come in; what we ask of others fails first."""
PAUSE = 0.05
"""Seconds until the next look, when there is no room."""
QUIET = 60.0
"""Seconds between two log lines that say so."""

log = structlog.get_logger("wagate.web.http.accept")


class Spare:
    """Open files for nothing, closed one by one when a connection finds no descriptor."""

    def __init__(self, count: int = SPARE) -> None:
        self._count = count
        self._held: list[int] = []
        self.refill()

    def refill(self) -> None:
        """Take back what was given, as far as there is room."""
        with suppress(OSError):
            while len(self._held) < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def give(self) -> bool:
        """Let one go; False when there is none."""
        if self._held:
            os.close(self._held.pop())
            return True
        return False

    def close(self) -> None:
        """Let all go, for good: connections that end later take none back."""
        self._count = 0
        while self.give():
            pass


class Gate:
    """What all listeners of a server share: how many connections there are, and may be."""

    def __init__(self, most: int, evict: Callable[[], bool]) -> None:
        """``evict`` ends the connection that has been idle for longest; False when none is idle."""
        self.spare = Spare()
        self._most = most
        self._evict = evict
        self._open = 0
        self._said = -inf

    async def accept(
        self, listener: Listener, handler: Callable[[Stream], Awaitable[None]], nursery: trio.Nursery
    ) -> None:
        """For ever: a task in ``nursery`` for each connection."""
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    self._say("a connection can't be accepted", error=error.strerror or str(error))
                    if not self.spare.give():
                        await trio.sleep(PAUSE)
                else:
                    await self._make_room(stream)
                    self._open += 1
                    nursery.start_soon(self._run, handler, stream)

    async def _make_room(self, stream: Stream) -> None:
        """Wait until one more may be served."""
        try:
            while self._open >= self._most:
                if not self._evict():
                    self._say("as many connections as there may be", open=self._open)
                await trio.sleep(PAUSE)
        except trio.Cancelled:
            await trio.aclose_forcefully(stream)
            raise

    async def _run(self, handler: Callable[[Stream], Awaitable[None]], stream: Stream) -> None:
        try:
            await handler(stream)
        finally:
            await trio.aclose_forcefully(stream)
            self._open -= 1
            self.spare.refill()

    def _say(self, event: str, **facts: object) -> None:
        """At most once a minute: it may happen a thousand times a second."""
        now = trio.current_time()
        if now - self._said >= QUIET:
            self._said = now
            log.error(event, **facts)
