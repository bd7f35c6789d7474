"""How much a plugin may log: what is over that is counted, so that it can't drown the others, or fill the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

MOST: Final = 300
"""Lines of one plugin …"""
PERIOD: Final = 10.0
"""… in so many seconds."""
_NAMES: Final = 1000
"""Names that are remembered."""


@dataclass(slots=True)
class _Window:
    began: float
    lines: int = 0


class LogLimit:
    """A processor of structlog's: for lines with a key ``plugin``, or ``logger`` when a library of its writes them.

    The first line too many becomes ``log limited``; the next line of the plugin that is let through says how many were
    ``suppressed``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The line, or the one in its place. structlog.DropEvent: none."""
        name = event.get("plugin") or event.get("logger")
        if name is None:
            return event
        window = self._window(str(name).partition(".")[0], event)
        window.lines += 1
        if window.lines <= MOST:
            return event
        if window.lines > MOST + 1:
            raise structlog.DropEvent
        return {"event": "log limited", "plugin": name, "lines": MOST, "seconds": PERIOD}

    def _window(self, name: str, event: MutableMapping[str, Any]) -> _Window:
        now = self._clock()
        window = self._windows.get(name)
        if window is not None and now - window.began < PERIOD:
            return window
        if window is not None and window.lines > MOST:
            event["suppressed"] = window.lines - MOST
        if len(self._windows) >= _NAMES:
            self._windows.clear()
        fresh = self._windows[name] = _Window(now)
        return fresh
