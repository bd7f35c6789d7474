"""The last warnings and errors of this process's log: in memory, for the dashboard."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Final, Literal

import msgspec

MOST: Final = 50
"""Different ones that are kept."""


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log, without secrets."""

    at: datetime
    level: Literal["warning", "error"]
    logger: str
    text: str
    details: str
    """Its fields; of several lines with this text, those of the last."""
    times: int = 1
    """How often this logger wrote this text since the first was kept."""


class LastWarnings:
    """Any thread may add to them. The same text of one logger counts once, so that it drives no other out."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[tuple[str, str, str], Warned] = {}

    def add(self, line: Warned) -> None:
        """Keep it; the oldest goes when there are more than `MOST`."""
        key = line.level, line.logger, line.text
        with self._lock:
            before = self._found.pop(key, None)
            self._found[key] = line if before is None else msgspec.structs.replace(line, times=before.times + 1)
            if len(self._found) > MOST:
                del self._found[next(iter(self._found))]

    def newest(self) -> list[Warned]:
        """All, the newest first."""
        with self._lock:
            return [*self._found.values()][::-1]
