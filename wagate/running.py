"""What of the running request is broken off when its client goes away."""

from __future__ import annotations

from contextvars import ContextVar

import trio

LONGEST_ACT = 600.0
"""Seconds for what is done to its end."""
RUNNING: ContextVar[trio.CancelScope | None] = ContextVar("running request", default=None)
"""All that is done for it."""
