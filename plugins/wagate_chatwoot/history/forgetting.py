"""Forget, day by day, which old message is which."""

from __future__ import annotations

from typing import Final

from wagate.hooks import PluginContext
from wagate_chatwoot.inboxes import Apps

FIRST: Final = 600.0
"""Seconds after the start, when there is other work."""
EVERY: Final = 24 * 3600.0


async def forget_old(context: PluginContext, apps: Apps) -> None:
    """A task: `Settings.keep` is how long the ledgers remember."""
    await context.clock.sleep(FIRST)
    while True:
        for app in apps.values():
            rows = await app.ledger.forget(float(apps.settings.keep))
            if rows:
                context.log.info("old messages forgotten", inbox=app.name, rows=rows)
        await context.clock.sleep(EVERY)
