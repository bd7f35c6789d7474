"""How fast targets may be asked: a token bucket for each that has a rate. It decides, and waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from wagate.clock import Clock
from wagate.hooks.contracts import Handler, TargetLimits
from wagate.plugins.wall import whose

log = structlog.get_logger("wagate.consumers")

GROUP = 0.1
"""Seconds whose attempts may begin together, so that a fast rate is not bound to how often the queue is asked."""
MOST = 10_000
"""Buckets that are kept; full ones go first."""
NO_LIMITS = TargetLimits()
_ALMOST = 1e-6


@dataclass(slots=True)
class _Tokens:
    count: float
    at: float


class Rates:
    """What targets allow. Each process has its part of a rate: all that take from one queue have the same."""

    def __init__(self, handlers: Mapping[str, Handler], clock: Clock) -> None:
        self._handlers = handlers
        self._now: Callable[[], float] = clock.monotonic
        self._tokens: dict[str, _Tokens] = {}
        self._processes = 1

    def share(self, processes: int) -> None:
        """So many processes take from the queue."""
        self._processes = max(processes, 1)

    def limits(self, target_id: str) -> TargetLimits:
        """Of ``<handler>:<target>``, now."""
        name, _, target = target_id.partition(":")
        handler = self._handlers.get(name)
        if handler is None:
            return NO_LIMITS
        try:
            return handler.limits(target)
        except Exception as error:
            # A plugin fails alone: what it can't say is no limit of others.
            log.exception("limits not known", target=target_id, **whose(error))
            return NO_LIMITS

    def room(self, target_id: str) -> int | None:
        """How many attempts may begin; None: it has no rate."""
        tokens = self._filled(target_id)
        return None if tokens is None else max(0, int(tokens.count + _ALMOST))

    def begin(self, target_id: str, attempts: int = 1) -> None:
        """An attempt begins, whether there is room or not; -1: one did not begin after all."""
        tokens = self._filled(target_id)
        if tokens is not None:
            tokens.count -= attempts

    def wait(self, target_id: str) -> float:
        """Seconds until there is room for one."""
        tokens = self._filled(target_id)
        return 0.0 if tokens is None else max(0.0, (1 - tokens.count) / self._rate(self.limits(target_id)))

    def _filled(self, target_id: str) -> _Tokens | None:
        """Its tokens as they are now."""
        limits = self.limits(target_id)
        if limits.rate is None:
            self._tokens.pop(target_id, None)
            return None
        now, rate = self._now(), self._rate(limits)
        most = max(limits.burst / self._processes, rate * GROUP, 1.0)
        tokens = self._tokens.get(target_id)
        if tokens is None:
            self._prune(now)
            tokens = self._tokens[target_id] = _Tokens(most, now)
        tokens.count = min(most, tokens.count + (now - tokens.at) * rate)
        tokens.at = now
        return tokens

    def _rate(self, limits: TargetLimits) -> float:
        return (limits.rate or 1.0) / self._processes

    def _prune(self, now: float) -> None:
        if len(self._tokens) >= MOST:
            # Of one that rested for a minute, at worst one attempt comes early by it.
            self._tokens = {name: each for name, each in self._tokens.items() if each.at > now - 60}
