"""How the gateway is, for plugins that tell people of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs attention, as the dashboard's first page shows it."""

    kind: str
    """One of `NEEDS`."""
    key: str
    """The same as long as it is the same thing."""
    who: str
    """A receiver, a number, a part of wagate."""
    what: str
    """After ``who``: "does not answer"."""
    detail: str
    """Sentences: what waits, what happens automatically, when something would be lost."""
    page: str
    """Path of the page about it."""
    since: datetime | None = None
    """Since when; None where that is not known."""


NEEDS = ("gateway", "down", "number", "refused", "failed", "disabled", "disk", "backup", "doctor")
"""Kinds of `Need`, worst first: a part of wagate is unhealthy; a receiver is down; a number is not linked or refused;
webhooks are refused; deliveries failed permanently; a receiver is off while messages wait; little disk is left; the
newest backup is old; ``wagate doctor`` fails in something else."""


class Watch(Protocol):
    """How the gateway is, for plugins that tell people of it."""

    async def needs(self) -> Sequence[Need]:
        """What needs attention, worst first: what the dashboard's first page shows. It waits until the gateway serves.

        When the database can't be read, what is known without it.
        """

    async def waiting(self) -> int:
        """Deliveries and messages that are not done. StorageError."""

    async def lead(self) -> bool:
        """Whether this process does, for this plugin, what only one of all processes on this database may do.

        Ask at least every 30 s, or another process takes over a minute later. StorageError: it can't be known.
        """

    def trouble(self, why: str) -> None:
        """This plugin is not working properly, and why; '' ends that. ``/health`` shows it as part ``plugins``."""
