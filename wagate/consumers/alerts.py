"""Tell a client that its target has been failing for long; switch it off in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
import structlog

from wagate.clock import Clock
from wagate.events import NewEvent
from wagate.events.kinds import WEBHOOK_DISABLED, WEBHOOK_FAILING
from wagate.hooks.contracts import Handler
from wagate.storage.database import Database
from wagate.storage.deliveries.targets import Failing, claim_alert, failing_targets

log = structlog.get_logger("wagate.consumers")

HOUR = 3600.0
STEPS = (HOUR, 24 * HOUR, 120 * HOUR)
"""Seconds of nothing but failures after which something is said; after the last, the target is disabled."""
LOOK = 60.0


class Emit(Protocol):
    """Store an event about a target, for the client's other targets."""

    async def __call__(self, event: NewEvent, *, client_id: int, without: str) -> None:
        """``without``: the target it is about, ``<handler>:<target>``; it does not get it."""


def level(target: Failing) -> int:
    """How many of `STEPS` a target has passed. Only tries count: silence is no failure."""
    seconds = (target.last_attempt_at - target.failing_since).total_seconds()
    return sum(seconds >= step for step in STEPS)


class Alerts:
    """Looks for failing targets every minute."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        emit: Emit,
        changed: Callable[[], Awaitable[None]],
        handlers: Mapping[str, Handler],
    ) -> None:
        """``changed`` is called after a target was switched off."""
        self._handlers = handlers
        self._database = database
        self._clock = clock
        self._emit = emit
        self._changed = changed

    async def run(self) -> None:
        """Look for ever; a task."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK)

    async def look(self) -> None:
        """Give the alerts that are due."""
        for target in await self._database.read(failing_targets):
            reached = level(target)
            if reached > target.alerted:
                await self._alert(target, reached)

    async def _alert(self, target: Failing, reached: int) -> None:
        handler, _, own_id = target.id.partition(":")
        disable = reached == len(STEPS) and not (handler in self._handlers and self._handlers[handler].lasting)
        now = self._clock.now()
        if not await self._database.write(claim_alert, target, reached, disable=disable, now=now):
            return
        kind = WEBHOOK_DISABLED if disable else WEBHOOK_FAILING
        log.warning(kind, target=target.id, since=target.failing_since.isoformat(), reason=target.last_error)
        if disable:
            await self._changed()
        if target.client_id is None:
            return
        about = {
            "connector": handler,
            "target": own_id,
            "failing_since": msgspec.to_builtins(target.failing_since),
            "last_error": target.last_error,
        }
        await self._emit(NewEvent(kind=kind, extra={"webhook": about}), client_id=target.client_id, without=target.id)
