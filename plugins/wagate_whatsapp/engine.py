"""The one child that holds all connections: started when it is needed, again when it dies, stopped last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from wagate.clock import Clock
from wagate_whatsapp.process import ChildProcess, EngineDiedError, EngineRefusedError, child_process, cut

if TYPE_CHECKING:
    import structlog

STEADY: Final = 10.0
"""Seconds that it must live for its death not to count as one more in a row."""
LONGEST_PAUSE: Final = 30.0
LOG_LOOK: Final = 60.0
"""Seconds between looks at how large its log has grown."""
UP_PATIENCE: Final = 90.0


class Engine:
    """The child, whichever it is right now."""

    def __init__(self, folder: Callable[[], Path], clock: Clock, log: structlog.stdlib.BoundLogger) -> None:
        self._folder = folder
        self._clock = clock
        self._log = log
        self._wanted = trio.Event()
        self._up = trio.Event()
        self._child: ChildProcess | None = None
        self._retired = False
        """Whether the last one ended because we wanted it to."""
        self.refused = ""
        """Why the last one was not used, and the cure."""
        self.deaths = 0
        """How often it died since the gateway began."""

    @property
    def running(self) -> ChildProcess | None:
        """The child, when it is up."""
        return self._child if self._child is not None and not self._child.over else None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Around all work; nothing is started before somebody wants it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()

    async def child(self) -> ChildProcess:
        """The running child, started if need be. EngineRefusedError; EngineDiedError: it did not come up."""
        self._wanted.set()
        with trio.move_on_after(UP_PATIENCE):
            while (found := self.running) is None:
                if self.refused:
                    raise EngineRefusedError(self.refused)
                await self._up.wait()
                await trio.lowlevel.checkpoint()
            return found
        raise EngineDiedError("the engine does not start; see the log")

    async def _keep(self) -> None:
        await self._wanted.wait()
        in_a_row = 0
        while True:
            began = trio.current_time()
            said = await self._live()
            if self._retired:
                self._log.info("engine_renewed")
                continue
            in_a_row = 1 if trio.current_time() - began > STEADY else in_a_row + 1
            self.deaths += 1
            self._log.warning("engine_died", deaths_in_a_row=in_a_row, said=said)
            await self._clock.sleep(_pause(in_a_row))

    async def _live(self) -> str:
        """One life; what it said last."""
        self._retired = False
        try:
            log = self._folder() / "engine.log"
            async with child_process(log) as child:
                self._child, self.refused = child, ""
                self._up.set()
                self._log.info("engine_started", pid=child.pid, version=child.version)
                try:
                    while not child.ended.is_set():
                        with trio.move_on_after(LOG_LOOK):
                            await child.ended.wait()
                        if not child.ended.is_set():  # else its last words are read
                            with suppress(OSError):
                                cut(log)
                finally:
                    self._retired = child.retired
                    self._up = trio.Event()
                return child.said
        except (EngineDiedError, OSError) as error:
            if isinstance(error, EngineRefusedError):
                self.refused = str(error)
                self._up.set()
                self._up = trio.Event()
            return str(error)


def _pause(in_a_row: int) -> float:
    """The first time at once, then 0.5, 1, 2 … 30 s."""
    return 0.0 if in_a_row == 1 else min(2.0 ** min(in_a_row - 3, 10), LONGEST_PAUSE)
