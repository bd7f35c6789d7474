"""A target's health: what is known of a place that deliveries go to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Health(StrEnum):
    """A target's status words."""

    ACTIVE = "active"
    FAILED = "failed"
    DISABLED = "disabled"


class Standing(StrEnum):
    """A target in one word, for people: the first that fits."""

    DISABLED = "disabled"
    PAUSED = "paused"
    DOWN = "down"
    FAILING = "failing"
    UP = "up"


class TargetState(msgspec.Struct, frozen=True, kw_only=True):
    """A target's health; without arguments, that of one never tried."""

    status: str = Health.ACTIVE
    failure_count: int = 0
    """Deliveries out of attempts or failed permanently since the last success."""
    streak: int = 0
    """Retryable failures in a row within the breaker's window."""
    streak_since: datetime | None = None
    failing_since: datetime | None = None
    """First failure since the last success."""
    down_since: datetime | None = None
    """Since when nothing but probes is sent; None: it is up."""
    next_probe_at: datetime | None = None
    probes: int = 0
    """Failed probes since it went down."""
    last_success_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_error: str | None = None
    alerted: int = 0
    """How many of the alerts of this failing time were given."""

    paused_at: datetime | None = None
    """Since when a person lets it wait: nothing is sent, nothing is given up. None: nobody does."""
    resumed_at: datetime | None = None
    """When its last pause ended, or a time in which nobody was at work: the time to recover in counts from here."""

    @property
    def down(self) -> bool:
        """Whether only probes are sent."""
        return self.down_since is not None

    @property
    def disabled(self) -> bool:
        """Whether it was switched off."""
        return self.status == Health.DISABLED

    @property
    def paused(self) -> bool:
        """Whether a person lets it wait."""
        return self.paused_at is not None

    @property
    def closed(self) -> bool:
        """Whether ordinary deliveries have to wait."""
        return self.down or self.disabled or self.paused

    @property
    def standing(self) -> Standing:
        """In one word."""
        if self.disabled:
            return Standing.DISABLED
        if self.paused:
            return Standing.PAUSED
        if self.down:
            return Standing.DOWN
        return Standing.UP if self.failing_since is None else Standing.FAILING
