"""What to do with a key that was handed out, once its head is loaded: pure."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from wagate.consumers.settle import MOST_CRASHES, in_doubt
from wagate.hooks.contracts import Handler
from wagate.inbound.route import UNROUTED
from wagate.storage.deliveries.lanes import Head


class Nothing(msgspec.Struct, frozen=True):
    """Nothing waits: a doorbell that rang twice, or for what was settled since."""


class Early(msgspec.Struct, frozen=True, kw_only=True):
    """Its head waits for its next try."""

    seconds: float


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """Its target takes nothing now."""

    head: Head
    in_doubt: bool = False
    """It may be that only another delivery says so: this one may try at once."""
    down: bool = False
    """A probe may pass."""


class Bury(msgspec.Struct, frozen=True, kw_only=True):
    """It killed its workers."""

    head: Head


class Go(msgspec.Struct, frozen=True, kw_only=True):
    """Try it."""

    head: Head


Admission: TypeAlias = Nothing | Early | Closed | Bury | Go


def admit(head: Head | None, handler: Handler | None, *, crashes: int, now: datetime) -> Admission:
    """Judge one key. ``handler`` None: its plugin is not enabled, the key stays parked, untouched."""
    if head is None or (head.mode == "pull" and not unrouted(head)):
        return Nothing()
    callable_ = handler is not None and (not handler.pull or unrouted(head))
    if not callable_ or not head.active or head.target.disabled:
        return Closed(head=head)
    if crashes >= MOST_CRASHES:
        return Bury(head=head)
    if head.target.down:
        return Closed(head=head, down=True, in_doubt=in_doubt(head.target) and not head.held)
    if head.next_retry_at is not None and not head.held and head.next_retry_at > now:
        return Early(seconds=(head.next_retry_at - now).total_seconds())
    return Go(head=head)


def unrouted(head: Head) -> bool:
    """Whether its targets have still to be found out."""
    return head.target_id == f"{head.handler}:{UNROUTED}"
