"""How the gateway is, for plugins that tell people of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import trio

from wagate.clock import Clock
from wagate.hooks.watch import Need
from wagate.inbound.position import count_waiting
from wagate.storage.database import Database
from wagate.storage.owners.accounts import hold

LEASE: Final = 60.0
"""Seconds after which another process leads."""
LONGEST: Final = 300
"""Characters of a trouble."""

Look = Callable[[], Awaitable[Sequence[Need]]]


class Watching:
    """What all plugins share of it."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._stopped: dict[str, str] = {}
        self._look: Look | None = None
        self._ready = trio.Event()

    @property
    def troubles(self) -> dict[str, str]:
        """Plugin → why it is not working properly."""
        return self._told | self._stopped

    def tell(self, plugin: str, why: str) -> None:
        """A plugin says what is wrong with it; '': nothing any more."""
        self._told.pop(plugin, None)
        if why:
            self._told[plugin] = why[:LONGEST]

    def stopped(self, plugin: str, why: str) -> None:
        """Its lifespan broke off, whatever it says itself. Nothing begins it again but a start."""
        self._stopped[plugin] = f"{why[:LONGEST]}; it does not work until the gateway is restarted"

    def look_by(self, look: Look) -> None:
        """The gateway serves now; ``look`` finds what needs attention."""
        self._look = look
        self._ready.set()

    async def needs(self) -> Sequence[Need]:
        """What needs somebody, as soon as the gateway serves."""
        await self._ready.wait()
        assert self._look is not None  # set before
        return await self._look()


class PluginWatch:
    """`wagate.hooks.context.Watch` for one plugin."""

    def __init__(self, plugin: str, watching: Watching, database: Database, clock: Clock, *, holder: str) -> None:
        """``holder``: the name of this process among others on its database, '' when there are none."""
        self._plugin = plugin
        self._watching = watching
        self._database = database
        self._clock = clock
        self._holder = holder

    async def needs(self) -> Sequence[Need]:
        """What needs attention."""
        return await self._watching.needs()

    async def waiting(self) -> int:
        """What is not done."""
        return (await self._database.browse(count_waiting)).deliveries

    async def lead(self) -> bool:
        """Whether this process leads."""
        if not self._holder:
            return True
        lease, now = f"plugin {self._plugin}", self._clock.now()
        held = await self._database.write(hold, [lease], self._holder, now=now, until=now + timedelta(seconds=LEASE))
        return lease in held

    def trouble(self, why: str) -> None:
        """Note it, or that it is over."""
        self._watching.tell(self._plugin, why)
