"""How long to wait: after a failure, and before the next probe of a target that is down."""

from __future__ import annotations

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
