"""Open files: as many as the system lets us have, shared between who comes in and everything else."""

from __future__ import annotations

import resource
from contextlib import suppress

OTHERS = 256
"""Files that are no connections from outside: the database, media, Redis, what we ask of others."""
MOST = 100_000
"""Connections, where the system knows no limit."""


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # Some systems name a hard limit that they do not allow.
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections(configured: int) -> int:
    """Connections that may be open at once: as configured, or what the limit of open files leaves."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST if soft == resource.RLIM_INFINITY else max(soft // 2, soft - OTHERS)
    return min(configured or MOST, allowed, MOST)
