"""Tell a client that its target has been failing for long; switch it off in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import peewee
import structlog

from wagate.clock import Clock
from wagate.events import NewEvent
from wagate.events.kinds import WEBHOOK_DISABLED, WEBHOOK_FAILING
from wagate.hooks.contracts import Handler
from wagate.storage.database import Database
from wagate.storage.deliveries.targets import Failing, claim_alert, failing_targets
from wagate.storage.events.intake import Intake, Stored, store

log = structlog.get_logger("wagate.consumers")

HOUR = 3600.0
STEPS = (HOUR, 24 * HOUR, 120 * HOUR)
"""Seconds of nothing but failures after which something is said; after the last, the target is disabled."""
LOOK = 60.0


class Prepare(Protocol):
    """Prepare an event about a target, for the client's other targets."""

    def __call__(self, event: NewEvent, *, client_id: int, without: str) -> Intake | None:
        """``without``: the target it is about, ``<handler>:<target>``; it does not get it. None: there is no client."""


def level(target: Failing) -> int:
    """How many of `STEPS` a target has passed. Only tries count: silence is no failure, nor a pause."""
    since = max(target.failing_since, target.resumed_at or target.failing_since)
    seconds = (target.last_attempt_at - since).total_seconds()
    return sum(seconds >= step for step in STEPS)


class Alerts:
    """Looks for failing targets every minute."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        prepare: Prepare,
        ring: Callable[[Sequence[Stored]], None],
        *,
        changed: Callable[[], Awaitable[None]],
        handlers: Mapping[str, Handler],
    ) -> None:
        """``ring`` is told of what was stored; ``changed`` is called after a target was switched off."""
        self._handlers = handlers
        self._database = database
        self._clock = clock
        self._prepare = prepare
        self._ring = ring
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
        handler = target.id.partition(":")[0]
        disable = reached == len(STEPS) and not (handler in self._handlers and self._handlers[handler].lasting)
        kind = WEBHOOK_DISABLED if disable else WEBHOOK_FAILING
        told, now = self._event(target, kind), self._clock.now()
        stored = await self._database.write(give_alert, target, reached, told, disable=disable, now=now)
        if stored is None:
            return
        self._ring(stored)
        log.warning(kind, target=target.id, since=target.failing_since.isoformat(), reason=target.last_error)
        if disable:
            await self._changed()

    def _event(self, target: Failing, kind: str) -> Intake | None:
        """What the client's other targets get; None: there is nobody to tell."""
        if target.client_id is None:
            return None
        handler, _, own_id = target.id.partition(":")
        about = {
            "connector": handler,
            "target": own_id,
            "failing_since": msgspec.to_builtins(target.failing_since),
            "last_error": target.last_error,
        }
        event = NewEvent(kind=kind, extra={"webhook": about})
        return self._prepare(event, client_id=target.client_id, without=target.id)


def give_alert(
    db: peewee.Database, target: Failing, level: int, told: Intake | None, *, disable: bool, now: datetime
) -> list[Stored] | None:
    """Claim an alert and store its event, in one commit: no stop gets between them. None: another process gives it."""
    if not claim_alert(db, target, level, disable=disable, now=now):
        return None
    return store(db, [told]) if told is not None else []
