"""How the gateway is, by script."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from wagate.errors import StorageError
from wagate.hooks import Need


class FakeWatch:
    """`wagate.hooks.context.Watch`."""

    def __init__(self) -> None:
        self.found: list[Need] = []
        """What needs attention."""
        self.count = 0
        """Deliveries that wait."""
        self.leads: bool | StorageError = True
        """Whether this process leads, or why that can't be known."""
        self.why = ""
        """The plugin's trouble."""

    async def needs(self) -> Sequence[Need]:
        """What needs attention."""
        await trio.lowlevel.checkpoint()
        return list(self.found)

    async def waiting(self) -> int:
        """What is not done."""
        await trio.lowlevel.checkpoint()
        return self.count

    async def lead(self) -> bool:
        """Whether this process leads. StorageError."""
        await trio.lowlevel.checkpoint()
        if isinstance(self.leads, StorageError):
            raise self.leads
        return self.leads

    def trouble(self, why: str) -> None:
        """Note it."""
        self.why = why
