"""From what happened to what is written down and what the queue is told."""

from __future__ import annotations

import random
from datetime import datetime

from wagate.consumers.settle import Try, settle
from wagate.consumers.states import (
    Accepted,
    Again,
    DeliveryState,
    Done,
    Final,
    Happened,
    Hold,
    Policy,
    Settled,
    Status,
)
from wagate.queue.results import Ack, Delay, Park, Result
from wagate.storage.deliveries.lanes import Head
from wagate.storage.deliveries.outcomes import Change, Outcome
from wagate.storage.deliveries.targets import Owner, TargetState


def outcome(
    head: Head, happened: Happened, policy: Policy, *, started: datetime, now: datetime, duration: float, probe: bool
) -> Outcome:
    """What to write down of one try; it is settled when it is written, from what is known of its target then."""
    tried = Try(
        happened=happened,
        delivery=state(head),
        started=started,
        now=now,
        probe=probe,
        chance=random.random(),  # noqa: S311  (jitter)
    )
    error = None if isinstance(happened, Accepted) else happened.error
    return Outcome(
        delivery_id=head.id,
        attempt_count=head.attempt_count,
        tried_before=head.attempt_count > 0 or head.first_attempt_at is not None,
        target_id=head.target_id,
        owner=Owner(head.handler, head.client_id),
        started_at=started,
        duration_ms=round(duration * 1000),
        now=now,
        http_status=happened.http_status,
        response=happened.response,
        error=error,
        settle=lambda target: change(settle(tried, target, policy), error),
    )


def state(head: Head) -> DeliveryState:
    """What decides about a delivery."""
    return DeliveryState(
        attempt_count=head.attempt_count,
        max_retries=head.max_retries,
        held=head.held,
        created_at=head.created_at,
        first_attempt_at=head.first_attempt_at,
        expires_at=head.expires_at,
    )


def change(settled: Settled, error: str | None) -> Change:
    """A decision, as the tables show it."""

    def made(
        status: Status, *, final: bool, why: str | None, due: datetime | None = None, held: bool = False
    ) -> Change:
        return Change(
            status=status,
            settled=final,
            held=held,
            counted=settled.counted,
            error=why,
            next_retry_at=due,
            target=settled.target,
            opened=settled.opened,
            reopened=settled.reopened,
        )

    match settled.decision:
        case Done():
            return made(Status.DELIVERED, final=True, why=None)
        case Final(error=reason):
            return made(Status.FAILED, final=True, why=reason)
        case Hold(next_probe=due, held=True):
            return made(Status.FAILED, final=False, why=error, due=due, held=True)
        case Hold(next_probe=due):
            return made(Status.PENDING, final=False, why=error, due=due)
        case Again(due=due):
            return made(Status.PENDING, final=False, why=error, due=due)


def result(
    key: str, token: str, bucket: str, changed: Change | None, *, more: bool, policy: Policy, now: datetime
) -> Result:
    """What the queue is told of a key whose try is written down; ``changed`` None: the try did not count.

    ``more``: other deliveries of the key waited when it began. ``bucket``: where keys of its target are parked.
    """
    if changed is None:
        # Somebody else settled it: the tables know what comes next.
        return Ack(key=key, token=token, more=True)
    if changed.settled:
        return Ack(key=key, token=token, more=more)
    if closed(changed.target):
        return Park(key=key, token=token, target=bucket)
    if not policy.strict:
        return Ack(key=key, token=token, more=True)
    assert changed.next_retry_at is not None
    return Delay(key=key, token=token, after=max(0.0, (changed.next_retry_at - now).total_seconds()))


def closed(target: TargetState) -> bool:
    """Whether ordinary deliveries to this target have to wait."""
    return target.down or target.disabled


def word(changed: Change | None) -> str:
    """One word for logs and metrics."""
    if changed is None:
        return "stale"
    if changed.settled:
        return "delivered" if changed.status == Status.DELIVERED else "failed"
    return "held" if closed(changed.target) else "retry"
