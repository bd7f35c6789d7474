"""How fast a receiver that asks to slow down is asked: additive increase, multiplicative decrease. Pure."""

from __future__ import annotations

import msgspec

DECREASE = 0.7
"""What is left of the pace each time the receiver asks to slow down."""
INCREASE = 0.04
"""Attempts per second more, for each one that it accepts: after a decrease the old pace is back in about 10 s."""
SLOWEST = 1 / 30
"""Attempts per second at least."""
EPOCH = 1.0
"""Seconds in which several refusals are one: they were under way together."""
MOMENT = 0.1
"""Seconds in which at least the first ones are counted."""
LONGEST = 60.0
"""Seconds for which one answer closes a receiver; the delivery itself waits as long as it was asked to."""
FORGOTTEN = 60.0
"""Seconds without a refusal after which the receiver has no pace any more."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one receiver, in this process. Times are seconds of a clock that never steps back."""

    rate: float | None = None
    """Attempts per second; None: it never asked to slow down, or not for long."""
    closed_until: float = 0.0
    """Nothing begins before: it said so (Retry-After)."""
    slowed_at: float = 0.0
    window: float = 0.0
    """When the second began in which `accepted` are counted."""
    accepted: int = 0
    before: int = 0
    """Accepted in the second before it."""


def accepted(pace: Pace, now: float) -> Pace:
    """One attempt was accepted."""
    counted = _counted(pace, now)
    if pace.rate is None:
        return counted
    return msgspec.structs.replace(counted, rate=pace.rate + INCREASE)


def slowed(pace: Pace, now: float, after: float | None) -> Pace:
    """The receiver asked to slow down, for ``after`` seconds when it said so."""
    seen = current(pace, now)
    until = max(seen.closed_until, now + min(after or 0.0, LONGEST))
    if seen.rate is None:
        # What it accepted lately is what it can bear.
        counts = _counted(seen, now, 0)
        rate = max(counts.accepted / max(now - counts.window, MOMENT), float(counts.before), 1.0)
    elif now - seen.slowed_at < EPOCH:
        return msgspec.structs.replace(seen, closed_until=until)
    else:
        rate = seen.rate
    return msgspec.structs.replace(seen, rate=max(DECREASE * rate, SLOWEST), slowed_at=now, closed_until=until)


def current(pace: Pace, now: float) -> Pace:
    """The pace now: forgotten when the receiver has not asked to slow down for long."""
    last = max(pace.slowed_at, pace.closed_until)
    return pace if pace.rate is None or now - last < FORGOTTEN else msgspec.structs.replace(pace, rate=None)


def _counted(pace: Pace, now: float, more: int = 1) -> Pace:
    passed = now - pace.window
    if passed < 1.0:
        return msgspec.structs.replace(pace, accepted=pace.accepted + more)
    before = pace.accepted if passed < 2.0 else 0
    return msgspec.structs.replace(pace, window=now, accepted=more, before=before)
