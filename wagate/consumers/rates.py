"""How fast targets may be asked: a token bucket for each that has a rate, its own or one that its refusals taught us.

It decides, and waits for nothing. `wagate.rate.TokenBuckets` does not fit here: these rates change while tokens are
out, an attempt that did not begin gives its token back, and a refusal empties the bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from wagate.clock import Clock
from wagate.hooks.contracts import Handler, TargetLimits
from wagate.plugins.wall import whose
from wagate.rules.pace import FORGOTTEN, Pace, accepted, current, slowed

log = structlog.get_logger("wagate.consumers")

GROUP = 0.1
"""Seconds whose attempts may begin together, so that a fast rate is not bound to how often the queue is asked."""
MOST = 10_000
"""Buckets that are kept; full ones go first."""
NO_LIMITS = TargetLimits()
UNKNOWN = Pace()
_ALMOST = 1e-6


@dataclass(slots=True)
class _Tokens:
    count: float
    at: float
    rate: float


class Rates:
    """What targets allow. Each process has its part of a rate: all that take from one queue have the same."""

    def __init__(self, handlers: Mapping[str, Handler], clock: Clock) -> None:
        self._handlers = handlers
        self._now: Callable[[], float] = clock.monotonic
        self._tokens: dict[str, _Tokens] = {}
        self._paces: dict[str, Pace] = {}
        self._processes = 1

    @property
    def processes(self) -> int:
        """How many take from the queue, as far as it is known."""
        return self._processes

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
        if tokens is None:
            return None
        closed = self._pace(target_id).closed_until > tokens.at
        return 0 if closed else max(0, int(tokens.count + _ALMOST))

    def begin(self, target_id: str, attempts: int = 1) -> None:
        """An attempt begins, whether there is room or not; -1: one did not begin after all."""
        tokens = self._filled(target_id)
        if tokens is not None:
            tokens.count -= attempts

    def wait(self, target_id: str) -> float:
        """Seconds until there is room for one."""
        tokens = self._filled(target_id)
        if tokens is None:
            return 0.0
        closed = self._pace(target_id).closed_until - tokens.at
        return max(0.0, closed, (1 - tokens.count) / tokens.rate)

    def accepted(self, target_id: str) -> None:
        """A target took one."""
        self._paces[target_id] = accepted(self._pace(target_id), self._now())
        self._prune_paces()

    def slowed(self, target_id: str, after: float | None) -> None:
        """A target asked to slow down, for ``after`` seconds when it said so."""
        self._paces[target_id] = slowed(self._pace(target_id), self._now(), after)
        if (tokens := self._filled(target_id)) is not None:
            tokens.count = min(tokens.count, 0.0)

    def _pace(self, target_id: str) -> Pace:
        return self._paces.get(target_id, UNKNOWN)

    def _filled(self, target_id: str) -> _Tokens | None:
        """Its tokens as they are now."""
        now, limits = self._now(), self.limits(target_id)
        pace = current(self._pace(target_id), now)
        rate = self._rate(limits, pace)
        if rate is None:
            self._tokens.pop(target_id, None)
            return None
        burst = limits.burst / self._processes if limits.rate is not None and pace.rate is None else 0.0
        most = max(burst, rate * GROUP, 1.0)
        tokens = self._tokens.get(target_id)
        if tokens is None:
            self._prune(now)
            tokens = self._tokens[target_id] = _Tokens(most, now, rate)
        # While it is closed nothing is gathered: what it refused is not to come again all at once.
        tokens.count = min(most, tokens.count + max(0.0, now - max(tokens.at, pace.closed_until)) * rate)
        tokens.at, tokens.rate = now, rate
        return tokens

    def _rate(self, limits: TargetLimits, pace: Pace) -> float | None:
        """Of this process: its part of what the target allows, or less when the target asked for that."""
        allowed = None if limits.rate is None else limits.rate / self._processes
        known = [each for each in (allowed, pace.rate) if each is not None]
        return min(known, default=None)

    def _prune(self, now: float) -> None:
        if len(self._tokens) >= MOST:
            # Of one that rested for a minute, at worst one attempt comes early by it.
            self._tokens = {name: each for name, each in self._tokens.items() if each.at > now - 60}

    def _prune_paces(self) -> None:
        if len(self._paces) > MOST:
            now = self._now()
            self._paces = {name: each for name, each in self._paces.items() if now - each.window < FORGOTTEN}
