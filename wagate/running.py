"""The request that is being worked on, and whether its client may still break it off by going away."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Running:
    """One request."""

    within: Running | None = None
    """The one of ours that asked for it."""
    finishes: bool = False
    """It goes on without its client."""


RUNNING: ContextVar[Running | None] = ContextVar("running request", default=None)
