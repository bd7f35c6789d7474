"""Whether a request had left when no answer came: only then may somebody have acted on it."""

from __future__ import annotations

from contextvars import ContextVar


class Handover:
    """What became of the request of one task, from `watch_handover` on."""

    left = False
    """Whether a request was wholly handed to the system. What a proxy wants for a way through is none."""


HANDOVER: ContextVar[Handover | None] = ContextVar("handover", default=None)
"""Of the running request. httpcore2 stands between the client and its streams, and has no other way through."""


def watch_handover() -> Handover:
    """Tells whether this task's next request left wholly; errors of `HttpClient.guarded_httpx` don't say.

    Look at `Handover.left` when it failed: without it the request was certainly not sent.
    """
    handover = Handover()
    HANDOVER.set(handover)
    return handover
