"""Write down what came of a message, whatever it takes: what was sent and not written down would be unknown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import trio

from wagate.clock import Clock
from wagate.errors import StorageError

T = TypeVar("T")

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
PATIENCE = 30.0
"""Seconds that one write may take."""

log = structlog.get_logger("wagate.outbound")


async def written(write: Callable[[], Awaitable[T]], clock: Clock, *, message_id: str) -> T:
    """What ``write`` returns, once the database takes it; between two tries it can be cancelled."""
    wait = FIRST_WAIT
    while True:
        try:
            # Also at a stop: the provider has decided, and only this says so.
            with trio.fail_after(PATIENCE, shield=True):
                return await write()
        except (StorageError, trio.TooSlowError) as error:
            log.warning("message not written yet", message_id=message_id, reason=str(error), wait=wait)
        await clock.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
