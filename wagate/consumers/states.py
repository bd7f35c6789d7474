"""What a decision is made from, and what it is: frozen values, no database in sight."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec

from wagate.config import tables
from wagate.storage.deliveries.targets import TargetState


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


def policy_of(configured: tables.Delivery) -> Policy:
    """The policy that ``[delivery]`` asks for."""
    return Policy(
        max_retries=configured.max_retries,
        max_delay=configured.max_delay,
        recover=configured.recover,
        strict=configured.order == "strict",
    )


class DeliveryState(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery before it is settled."""

    attempt_count: int
    max_retries: int
    held: bool
    """Out of attempts already."""
    created_at: datetime
    first_attempt_at: datetime | None
    expires_at: datetime | None = None
    """Given up after this moment, instead of ``created_at`` + ``recover``."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The target took it."""

    http_status: int | None = None
    response: str | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """It may work later."""

    error: str
    http_status: int | None = None
    response: str | None = None
    after: float | None = None
    """The target asked for so many seconds."""
    down: bool = False
    """The target takes nothing at all."""


class Postponed(msgspec.Struct, frozen=True, kw_only=True):
    """It was not tried; it may be, later."""

    error: str
    """Why it waits."""
    after: float
    """Seconds."""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """It will never work."""

    error: str
    http_status: int | None = None
    response: str | None = None
    disable: bool = False
    """Switch the target off as well."""


Happened: TypeAlias = Accepted | Failed | Rejected
"""What came of a try."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Delivered: the chat goes on."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Tried again by the schedule."""

    due: datetime


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Waits at the head of its chat until its target answers again."""

    next_probe: datetime | None
    """None: the target is switched off."""
    held: bool
    """Out of attempts."""


class Final(msgspec.Struct, frozen=True, kw_only=True):
    """Given up: the chat goes on."""

    error: str


Decision: TypeAlias = Done | Again | Hold | Final


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try."""

    decision: Decision
    counted: bool
    """Whether the try was one of the delivery's attempts (a failed probe is not)."""
    target: TargetState
    """The target afterwards."""
    reopened: bool = False
    """The target was down and answers again."""
    opened: bool = False
    """The target counts as down from now on."""
