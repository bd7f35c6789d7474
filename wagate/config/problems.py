"""What is wrong with a configuration, gathered so that one run shows all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from wagate.errors import ConfigError

MOST_LINES = 100
"""Of one run: more than that nobody reads, and a body may have a wrong key in every eight bytes."""
LONGEST_NEAR = 100
"""Characters of a name that is compared with others, which takes the square of its length."""

Key = tuple[str, ...]
"""Where a value stands: ``("server", "port")``."""


class Problems:
    """Gathers problems, each one line: where it was written, the key, the reason and the cure."""

    def __init__(self, file: str) -> None:
        self.file = file
        """What was read: the configuration file's name."""
        self.origins: dict[Key, str] = {}
        """The keys that something else than the file set, and what it was."""
        self.lines: list[str] = []
        """One line for each problem."""
        self._seen: set[Key] = set()

    def add(self, key: Key, reason: str) -> None:
        """Note that the value of ``key`` is wrong. After `MOST_LINES` nothing is noted any more."""
        if self.full:
            return
        if key not in self._seen:  # a second fault of one value only follows from the first
            self.lines.append(f"{self.origins.get(key, self.file)}: {'.'.join(key)}: {reason}")
        self._seen.add(key)

    @property
    def full(self) -> bool:
        """Whether more would not be noted."""
        return len(self.lines) >= MOST_LINES

    def refuse(self) -> None:
        """Raises ConfigError with all lines, if there are any."""
        if self.lines:
            raise ConfigError("\n".join(self.lines))


def near(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that ``wrong`` was probably meant to be."""
    if len(wrong) > LONGEST_NEAR:
        return None
    return next(iter(difflib.get_close_matches(wrong.lower(), list(known), n=1, cutoff=0.6)), None)
