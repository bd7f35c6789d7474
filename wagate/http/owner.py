"""On whose behalf a request is made: connections are kept for its owner alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OWNER: ContextVar[int | None] = ContextVar("owner", default=None)
"""The id of the client for whom the running task works; None: for the gateway itself.

The core sets it around every call into a plugin that is about one client, so no plugin has to think of it.
"""

REGISTERING: ContextVar[bool] = ContextVar("registering", default=False)
"""Whether the running task answers the API: what a client asks there waits for none of its own deliveries."""


@contextmanager
def on_behalf_of(client_id: int | None) -> Iterator[None]:
    """Requests in this block are this client's; None: the gateway's own.

    A task that a plugin starts goes on for whoever it was started for; one that works for several clients says so here.
    """
    before = OWNER.set(client_id)
    try:
        yield
    finally:
        OWNER.reset(before)
