"""Give memory back to the system: the C library keeps what large bodies took, in case more come."""

from __future__ import annotations

import ctypes
import gc

import trio

from wagate.web.http.bodies import Bodies

EVERY = 5.0
"""Seconds between looks."""
ENOUGH = 4 * 1024**2
"""Bytes of bodies after which it is worth the walk: some milliseconds, in a thread of its own."""


class Heap:
    """Trims it when many bytes have passed through since the last time."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._seen = 0
        self.trims = 0
        """How often it was trimmed."""

    async def look(self) -> None:
        """Trim when it is time."""
        if self._bodies.passed - self._seen >= ENOUGH:
            self._seen = self._bodies.passed
            self.trims += 1
            # Errors and their tracebacks hold each other, and the body: young ones wait for the next collection.
            gc.collect(1)
            await trio.to_thread.run_sync(trim)


def trim() -> None:
    """Have the C library return what is free; where it can't (only glibc has the call), nothing."""
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)
