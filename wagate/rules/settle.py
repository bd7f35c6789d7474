"""What becomes of a delivery after a try, and when: pure, the rules of "webhooks: outcome" and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from wagate.rules.states import (
    Accepted,
    DeliveryState,
    Failed,
    Killed,
    Policy,
    Postponed,
    Rejected,
    Settled,
    Status,
    Try,
)
from wagate.rules.targets import Health, TargetState

BREAKER_FAILURES = 10
"""So many retryable failures in a row …"""
BREAKER_SECONDS = 60.0
"""… within so long …"""
QUIET_SECONDS = 5.0
"""… and nothing accepted for so long: the target counts as down. One that fails half of all requests does not."""
ABRUPT_SECONDS = 10.0
"""A target that accepted something so shortly before it went down is probed sooner."""
PATIENCE = 24 * 3600.0
"""Seconds that a delivery may be put off when ``delivery.recover`` is 0."""
FIRST_WAIT = 5.0
"""Seconds after the first failure; doubled after each further one."""
JITTER = 0.2
"""Up to this part is added, so that what failed together does not come back together."""
FIRST_PROBE = 15.0
"""Seconds from the moment a target counts as down to its first probe; doubled after each failed one."""
QUICK_PROBE = 2.0
"""The same for a target that accepted something shortly before: it may only have stumbled."""
LAST_PROBE = 900.0
"""No wait between probes is longer."""
_LARGEST_EXPONENT = 40


def settle(tried: Try, target: TargetState, policy: Policy) -> Settled:
    """Decide what one try means for its delivery and its target.

    ``target`` is the target's state now, after all tries that were settled before this one.
    """
    match tried.happened:
        case Accepted():
            return _accepted(target, tried.now)
        case Rejected():
            return _rejected(tried.happened, tried, target, policy)
        case Killed():
            error = tried.happened.error
            return Settled(status=Status.FAILED, final=False, stuck=True, counted=False, error=error, target=target)
        case Failed(slow=True, down=False) if policy.recover > 0:
            return _slowed(tried.happened, tried, target, policy)
        case Failed():
            return _failed(tried.happened, tried, target, policy)


def given_up(delivery: DeliveryState, target: TargetState, policy: Policy, now: datetime) -> bool:
    """Whether the time in which it may recover has passed; always, when there is none.

    A pause of its target costs it none of that time: it begins anew when the pause ends. Nor does a time in which
    nobody was at work.
    """
    if policy.recover == 0:
        return True
    end = delivery.expires_at or delivery.created_at + timedelta(seconds=policy.recover)
    if target.resumed_at is not None:
        end = max(end, target.resumed_at + timedelta(seconds=policy.recover))
    return now >= end


def waited_too_long(
    postponed: Postponed, delivery: DeliveryState, target: TargetState, policy: Policy, now: datetime
) -> Rejected | None:
    """What ends a delivery that was put off again and again; None: it may go on waiting."""
    late = too_old(delivery, target, policy, now)
    return Rejected(error=give_up_error(_patient(policy), postponed.error)) if late else None


def too_old(delivery: DeliveryState, target: TargetState, policy: Policy, now: datetime) -> bool:
    """As `given_up`, with a time to wait in also when there is none to recover in."""
    return given_up(delivery, target, _patient(policy), now)


def _patient(policy: Policy) -> Policy:
    return policy if policy.recover else replace(policy, recover=PATIENCE)


def give_up_error(policy: Policy, last: str | None) -> str:
    """Why a delivery was given up that waited too long for its target."""
    return f"gave up after {policy.recover / 3600:g}h: {last or 'the target did not answer'}"


def _accepted(target: TargetState, now: datetime) -> Settled:
    healthy = TargetState(
        status=target.status if target.status == Health.DISABLED else Health.ACTIVE,
        last_success_at=now,
        last_attempt_at=now,
        last_error=target.last_error,
        paused_at=target.paused_at,
        resumed_at=target.resumed_at,
    )
    return Settled(status=Status.DELIVERED, final=True, target=healthy, reopened=target.down)


def _rejected(happened: Rejected, tried: Try, target: TargetState, policy: Policy) -> Settled:
    after = replace(
        _count_failed_delivery(target, tried.delivery),
        failing_since=target.failing_since or tried.now,
        last_attempt_at=tried.now,
        last_error=happened.error,
    )
    if tried.probe and target.down:
        # It answered, but did not accept: neither up nor further down.
        seconds = probe_wait(target.probes, max_delay=policy.max_delay, abrupt=_abrupt(target))
        after = replace(after, next_probe_at=_later(tried.now, seconds))
    if happened.disable:
        after = replace(after, status=Health.DISABLED)
    return Settled(status=Status.FAILED, final=True, error=happened.error, target=after)


def _slowed(happened: Failed, tried: Try, target: TargetState, policy: Policy) -> Settled:
    """The receiver is there and asks to come back: no attempt is spent, and nobody bears witness against it."""
    after = replace(
        target,
        failing_since=target.failing_since or tried.now,
        last_attempt_at=tried.now,
        last_error=happened.error,
    )
    if given_up(tried.delivery, target, policy, tried.now):
        after, error = _count_failed_delivery(after, tried.delivery), give_up_error(policy, happened.error)
        return Settled(status=Status.FAILED, final=True, counted=False, error=error, target=after)
    seconds = wait(1, max_delay=policy.max_delay, chance=tried.chance) if happened.after is None else happened.after
    due: datetime | None = _later(tried.now, min(seconds, policy.max_delay))
    if target.down:
        # It answers, but takes nothing yet: as a probe it is neither up nor further down.
        after = replace(after, next_probe_at=due if tried.probe else target.next_probe_at)
        due = after.next_probe_at
    held = tried.delivery.held
    return Settled(
        status=Status.FAILED if held else Status.PENDING,
        final=False,
        held=held,
        counted=False,
        error=happened.error,
        next_retry_at=None if target.disabled else due,
        target=after,
    )


def _failed(happened: Failed, tried: Try, target: TargetState, policy: Policy) -> Settled:
    # Probes cost no attempts, or an outage would use them all up; but with no time to recover in, nothing waits for
    # its target, and a probe is an attempt like any other. The same holds for who says that it takes nothing at all.
    counted = not (tried.probe or happened.down) or policy.recover == 0
    attempts = tried.delivery.attempt_count + counted
    out = attempts >= tried.delivery.max_retries
    final = _final_error(happened, tried, target, policy, out=out)
    after = _count_failed_try(target, happened, tried)
    if out or final is not None:
        after = _count_failed_delivery(after, tried.delivery)
    # A dead target is known by a delivery against which nobody bears witness, by many failures at once, or by its word.
    if happened.down and policy.recover > 0:
        after = replace(after, streak=max(after.streak, BREAKER_FAILURES))
    if not target.down and ((out and final is None) or _broken(after, happened, tried.now)):
        after = replace(after, down_since=tried.now, probes=0)
        first = probe_wait(0, max_delay=policy.max_delay, after=happened.after, abrupt=_abrupt(after))
        after = replace(after, next_probe_at=_later(tried.now, first))
    elif target.down and tried.probe:
        probes = target.probes + 1
        seconds = probe_wait(probes, max_delay=policy.max_delay, after=happened.after, abrupt=_abrupt(target))
        after = replace(after, next_probe_at=_later(tried.now, seconds), probes=probes)
    opened = after.down and not target.down
    made = partial(Settled, counted=counted, target=after, opened=opened)
    if final is not None:
        return made(status=Status.FAILED, final=True, error=final)
    if after.closed:
        status = Status.FAILED if out else Status.PENDING
        return made(status=status, final=False, held=out, error=happened.error, next_retry_at=after.next_probe_at)
    seconds = wait(
        attempts - tried.delivery.earlier, max_delay=policy.max_delay, chance=tried.chance, after=happened.after
    )
    due = _later(tried.now, seconds)
    return made(status=Status.PENDING, final=False, error=happened.error, next_retry_at=due)


def _broken(target: TargetState, happened: Failed, now: datetime) -> bool:
    """Whether so many failed in a row, and nothing was accepted meanwhile, that it counts as down."""
    last = target.last_success_at
    quiet = last is None or (now - last).total_seconds() >= QUIET_SECONDS
    return target.streak >= BREAKER_FAILURES and (quiet or happened.down)


def _abrupt(target: TargetState) -> bool:
    """Whether it accepted something shortly before it went down."""
    last, down = target.last_success_at, target.down_since
    return last is not None and down is not None and (down - last).total_seconds() < ABRUPT_SECONDS


def _final_error(happened: Failed, tried: Try, target: TargetState, policy: Policy, *, out: bool) -> str | None:
    """Why it is final, or None: it may still succeed."""
    aged = given_up(tried.delivery, target, policy, tried.now)
    if (target.down or happened.down) and policy.recover > 0:
        # While it is down the fault is the target's, whatever it accepted before.
        return give_up_error(policy, happened.error) if aged else None
    if not out:
        return None
    first = tried.delivery.first_attempt_at or tried.started
    witness = target.last_success_at is not None and target.last_success_at > first
    return happened.error if witness or aged else None


def _count_failed_try(target: TargetState, happened: Failed, tried: Try) -> TargetState:
    since = target.streak_since
    if target.down:
        # A second delivery that fails as well leaves no doubt; the held ones had their say.
        streak = target.streak if tried.delivery.held else max(target.streak, BREAKER_FAILURES)
    elif since is not None and (tried.now - since).total_seconds() <= BREAKER_SECONDS:
        streak = target.streak + 1
    else:
        streak, since = 1, tried.now
    return replace(
        target,
        streak=streak,
        streak_since=since,
        failing_since=target.failing_since or tried.now,
        last_attempt_at=tried.now,
        last_error=happened.error,
    )


def in_doubt(target: TargetState) -> bool:
    """Whether only one delivery says that the target is down: another one may be the witness, at once."""
    return target.down and target.streak < BREAKER_FAILURES


def _count_failed_delivery(target: TargetState, delivery: DeliveryState) -> TargetState:
    """Count a delivery that is out of attempts or failed permanently: once in one time of being down."""
    counted_before = delivery.held and target.down
    return replace(
        target,
        status=target.status if target.status == Health.DISABLED else Health.FAILED,
        failure_count=target.failure_count + (not counted_before),
    )


def _later(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def wait(failures: int, *, max_delay: float, chance: float, after: float | None = None) -> float:
    """Seconds to wait after the ``failures``-th failure (1 for the first).

    ``chance`` in 0…1 chooses the jitter. ``after`` is what the target asked for (Retry-After): never sooner than that,
    but ``max_delay`` limits it as well.
    """
    scheduled = _doubled(FIRST_WAIT, failures - 1) * (1 + JITTER * chance)
    return min(max(scheduled, after or 0.0), max_delay)


def probe_wait(probes: int, *, max_delay: float, after: float | None = None, abrupt: bool = False) -> float:
    """Seconds to the next probe when ``probes`` have failed since the target went down; ``after`` as in `wait`.

    ``abrupt``: it accepted something shortly before.
    """
    return max(min(_doubled(QUICK_PROBE if abrupt else FIRST_PROBE, probes), LAST_PROBE), min(after or 0.0, max_delay))


def _doubled(seconds: float, times: int) -> float:
    return seconds * float(2 ** min(times, _LARGEST_EXPONENT))
