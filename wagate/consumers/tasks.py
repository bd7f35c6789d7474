"""Keep a task going: restarted with backoff when it fails, not when it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from wagate.clock import Clock

log = structlog.get_logger("wagate.tasks")

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0


async def supervise(name: str, task: Callable[[], Awaitable[None]], clock: Clock, *, plugin: str | None = None) -> None:
    """Run a task, of a plugin's if that is named, until it returns.

    After an error it starts again: after 1 s, doubling to a minute; a run longer than that begins the waits anew.
    """
    wait = FIRST_WAIT
    while True:
        began = clock.monotonic()
        try:
            await task()
        except Exception:
            if clock.monotonic() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
            whose = {"plugin": plugin} if plugin else {}
            log.exception("task failed", task=name, again_in=wait, **whose)
        else:
            return
        await clock.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
