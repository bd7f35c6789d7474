"""Agents' messages of which nobody knows whether they were sent: the core tells of none of them, agents must know."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from wagate.errors import RequestError, StorageError
from wagate.hooks import MessageView
from wagate_chatwoot.apps import App, Apps
from wagate_chatwoot.origin import Origin
from wagate_chatwoot.tell import tell_doubt
from wagate_chatwoot.whither import Chat

EVERY: Final = 30.0
"""Seconds between two looks."""
SHARE: Final = 50
"""A look may take this part of the time: where there are millions of messages it is slow."""
SETTLE: Final = timedelta(seconds=60)
"""The provider's own word often comes within this time and ends the doubt."""
OLDEST: Final = timedelta(days=1)
PAGE: Final = 200
UNKNOWN: Final = "unknown"


class Doubts:
    """Looks for them in all inboxes; a task."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def run(self) -> None:
        """For ever."""
        apps = list(self._apps.values())
        told: set[str] = set()
        passed = 0.0
        while apps:
            clock = apps[0].context.clock
            await clock.sleep(max(EVERY, SHARE * passed))
            began = clock.monotonic()
            for app in apps:
                try:
                    told |= await look(app, told)
                except (RequestError, StorageError) as error:
                    app.context.log.warning("doubts not looked for", inbox=app.name, reason=str(error))
            passed = clock.monotonic() - began


async def look(app: App, told: set[str]) -> set[str]:
    """Tell of those that are new and stay; their ids. ``told`` are left out: they would be stored once anyway."""
    client_id, now = app.client_id, app.context.clock.now()
    if client_id is None:
        return set()
    page = await app.context.messages.page(client_id=client_id, limit=PAGE, cursor=None, status=UNKNOWN)
    old_enough = [row for row in page.data if now - OLDEST < row.updated_at < now - SETTLE and row.id not in told]
    return {row.id for row in old_enough if await _tell(app, row)}


async def _tell(app: App, row: MessageView) -> bool:
    """Whether it was written in this inbox."""
    entry = await app.ledger.by_part(row.id)
    handed = await app.ledger.handed(entry.message) if entry is not None else None
    if entry is None or handed is None or row.id not in handed.parts:
        return False
    number = handed.parts.index(row.id)
    origin = Origin(
        inbox=app.name, message=entry.message, conversation=entry.conversation, part=number, retry=handed.retry
    )
    await tell_doubt(app, origin, Chat(account=row.account, key=row.chat), row.id)
    return True
