"""What a decision is made from, and what it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec

from wagate.rules.targets import TargetState

SLOWER = frozenset({408, 425, 429})
"""HTTP statuses by which a receiver asks to come back later: Request Timeout, Too Early, Too Many Requests."""
UNAVAILABLE = 503


class Status(StrEnum):
    """A delivery's status words, as API and tables show them."""

    PENDING = "pending"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """``[delivery]``, as far as it decides outcomes. Times are seconds."""

    max_retries: int = 3
    """Attempts in all, when target and delivery say nothing else."""
    max_delay: float = 6 * 3600.0
    """No wait is longer."""
    recover: float = 24 * 3600.0
    """How long a failing delivery waits for its target to answer again; 0: not at all."""
    strict: bool = True
    """What may still succeed holds its chat; False: the chat goes on at once."""


class DeliveryState(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery before it is tried."""

    attempt_count: int
    max_retries: int
    held: bool
    """Out of attempts already, waiting for its target."""
    created_at: datetime
    first_attempt_at: datetime | None
    next_retry_at: datetime | None = None
    expires_at: datetime | None = None
    """Given up after this moment, instead of ``created_at`` + ``recover``."""
    earlier: int = 0
    """Attempts of rounds before this one: somebody had it run again by hand."""
    stuck: bool = False
    """It seems to end the process that tries it: not tried until somebody says so."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The target took it."""

    http_status: int | None = None
    response: str | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It may work later."""

    error: str
    http_status: int | None = None
    response: str | None = None
    after: float | None = None
    """The target asked for so many seconds."""
    down: bool = False
    """The target takes nothing at all."""

    @property
    def slow(self) -> bool:
        """Whether it speaks of the receiver's pace, not of this delivery: 408, 425, 429, and 503 with Retry-After."""
        return self.http_status in SLOWER or (self.http_status == UNAVAILABLE and self.after is not None)


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It will never work."""

    error: str
    http_status: int | None = None
    response: str | None = None
    disable: bool = False
    """Switch the target off as well."""


class Killed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Its processes died while they tried it and nothing else."""

    error: str
    http_status: int | None = None
    response: str | None = None


class Postponed(msgspec.Struct, frozen=True, kw_only=True):
    """It was not tried; it may be, later."""

    error: str
    """Why it waits."""
    after: float
    """Seconds."""
    slow: bool = False
    """The target asked to slow down."""
    own: bool = False
    """It waits for something of its own: that says nothing about the target."""


Happened: TypeAlias = Accepted | Failed | Rejected | Killed
"""What came of a try."""


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery, over."""

    happened: Happened
    delivery: DeliveryState
    """Before the try."""
    started: datetime
    now: datetime
    """When it was over."""
    probe: bool = False
    """The target counted as down when it began."""
    chance: float = 0.0
    """0…1, chooses the jitter."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What one try makes of its delivery and its target, as the tables show it."""

    status: Status
    final: bool
    """Delivered or given up: the chat goes on."""
    held: bool = False
    """Out of attempts, but still waiting at the head of its chat for its target to answer again."""
    stuck: bool = False
    """It needs attention: held at the head of its chat until it is run again or cancelled by hand."""
    counted: bool = True
    """Whether the try was one of the delivery's attempts (a failed probe is not)."""
    error: str | None = None
    """Why it failed, or waits."""
    next_retry_at: datetime | None = None
    """When it is tried again; at a closed target, its next probe. None: it is final, or its target is disabled."""
    target: TargetState
    """The target afterwards."""
    opened: bool = False
    """The target counts as down from now on."""
    reopened: bool = False
    """The target was down and answers again."""
