"""What the doctor found last, for who can't wait: the gateway asks itself now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

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

    async def now(self, **how: int) -> Sequence[DoctorLine]:
        """Ask: all lines. It may take some seconds."""
        lines = await self._examine(**how) if self._examine is not None else ()
        self.failing = [each for each in lines if each.level == "fail"]
        return lines

    async def run(self) -> None:
        """A task: ask now and then, one part after another, so that nobody notices."""
        await self._clock.sleep(FIRST)
        while True:
            await self.now(at_once=1)
            await self._clock.sleep(AGAIN if self.failing else EVERY)
