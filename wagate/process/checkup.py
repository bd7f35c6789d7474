"""What the doctor found last, for who can't wait: the gateway asks itself now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Any, Final

from wagate.clock import Clock
from wagate.web.api.doctor import DoctorLine

FIRST: Final = 300.0
"""Seconds after the start: sessions connect until then."""
EVERY: Final = 3600.0
"""Seconds, while all is well."""
AGAIN: Final = 300.0
"""Seconds, while something fails: what is mended must not be shown for long."""

Examine = Callable[..., Awaitable[Sequence[DoctorLine]]]
"""`wagate.process.doctor.run_checks`; it takes ``at_once``."""


class Checkup:
    """Asks, and keeps what fails."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._examine: Examine | None = None
        self.failing: Sequence[DoctorLine] = ()
        """What did not work when it was last asked."""

    def ask_by(self, examine: Examine) -> None:
        """All parts are there now; ``examine`` asks them."""
        self._examine = examine

    async def now(self, *, part: str = "", **how: int) -> Sequence[DoctorLine]:
        """Ask: all lines, or those of one part. It may take some seconds."""
        asked: dict[str, Any] = how | ({"part": part} if part else {})
        lines = await self._examine(**asked) if self._examine is not None else ()
        others = [each for each in self.failing if part not in {"", each.part}]
        self.failing = others + [each for each in lines if each.level == "fail"]
        return lines

    def but_for(self, troubles: Container[str]) -> list[DoctorLine]:
        """What did not work, but for plugins (``troubles``) that say themselves what it is."""
        return [each for each in self.failing if each.part not in troubles]

    async def run(self) -> None:
        """A task: ask now and then, one part after another, so that nobody notices."""
        await self._clock.sleep(FIRST)
        while True:
            await self.now(at_once=1)
            await self._clock.sleep(AGAIN if self.failing else EVERY)
