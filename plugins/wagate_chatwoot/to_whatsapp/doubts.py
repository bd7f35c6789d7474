"""Agents' messages that wait, or of which nobody knows whether they were sent.

The core tells of neither, and Chatwoot shows what nobody tells of as sent: agents must know.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from wagate.errors import RequestError, StorageError
from wagate.hooks import MessageFilter, MessageView
from wagate_chatwoot.inboxes import App, Apps
from wagate_chatwoot.to_chatwoot.notices import notify_doubt, notify_waits
from wagate_chatwoot.to_whatsapp.chat_of import Chat
from wagate_chatwoot.to_whatsapp.origin import Origin

EVERY: Final = 10.0
"""Seconds between two looks."""
SHARE: Final = 50
"""A look that took a second is followed by so many without one: where there are millions of messages it is slow."""
SETTLE: Final = timedelta(seconds=60)
"""The provider's own word often comes within this time and ends the doubt."""
WINDOW: Final = timedelta(seconds=20)
"""About as long as the first attempts take: what was not sent within may take hours."""
OLDEST: Final = timedelta(days=1)
PAGE: Final = 200
MOST_PAGES: Final = 10
UNKNOWN: Final = "unknown"
QUEUED: Final = "queued"


class Doubts:
    """Looks for them in all inboxes; a task."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def run(self) -> None:
        """For ever."""
        told: set[str] = set()
        passed = 0.0
        while apps := list(self._apps.values()):
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
    """Tell of those that are new and stay; marks of them. ``told`` are left out: they would be stored once anyway."""
    client_id, now = app.client_id, app.context.clock.now()
    if client_id is None:
        return set()
    done = set()
    for status, patience in ((UNKNOWN, SETTLE), (QUEUED, WINDOW)):
        for row in await _rows(app, client_id, status, now - OLDEST):
            since, mark = row.updated_at if status == UNKNOWN else row.created_at, f"{status}/{row.id}"
            if since < now - patience and mark not in told and await _tell(app, row):
                done.add(mark)
    return done


async def _rows(app: App, client_id: int, status: str, oldest: datetime) -> list[MessageView]:
    """The client's messages of this status, newest first, that are not history."""
    found: list[MessageView] = []
    which, cursor = MessageFilter(status=status), None
    for _ in range(MOST_PAGES):
        page = await app.context.messages.page(which, client_id=client_id, limit=PAGE, cursor=cursor)
        recent = [row for row in page.data if row.updated_at > oldest]
        found, cursor = found + recent, page.next_cursor
        if cursor is None or len(recent) < len(page.data):
            break
    return found


async def _tell(app: App, row: MessageView) -> bool:
    """Whether it was written in this inbox, and the agent can still be told."""
    entry = await app.ledger.by_part(row.id)
    handed = await app.ledger.handed(entry.message) if entry is not None else None
    if entry is None or handed is None or row.id not in handed.parts or not app.reaches(entry.site):
        return False
    number = handed.parts.index(row.id)
    origin = Origin(
        inbox=app.name,
        message=entry.message,
        conversation=entry.conversation,
        site=entry.site,
        part=number,
        retry=handed.retry,
    )
    chat = Chat(account=row.account, key=row.chat)
    if row.status == UNKNOWN:
        await notify_doubt(app, origin, chat, row.id)
    else:
        await notify_waits(app, origin, chat, row.id, row.error or "")
    return True
