"""Files that come after their message was shown: whoever asked is told, in the commit that keeps the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import peewee
from msgspec.structs import replace
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.events import Event, kinds
from wagate.hooks.contracts import Target
from wagate.storage import media as rows
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake, Route, Stored, store
from wagate.storage.events.listing import get_event
from wagate.storage.media import MEDIA_ID, Kept

Routes = Callable[[str, Target, Event], tuple[Route, ...]]
"""(handler, target, event) → its delivery; none when there is no such handler any more."""
Ring = Callable[[Sequence[Stored]], None]

_ABOUT = ("aliases", "group_name", "source")
"""What of the message's ``extra`` leads to its chat."""


class LateFiles:
    """Keeps files, and tells those who follow them."""

    def __init__(self, database: Database, clock: Clock, *, routes: Routes, ring: Ring) -> None:
        self._database = database
        self._clock = clock
        self._routes = routes
        self._ring = ring

    async def follow(self, media_id: str, *, handler: str, target: str) -> bool:
        """Tell a target when the file comes; False: it is here, or is none that can come."""
        return await self._database.write(rows.follow, media_id, handler, target, now=self._clock.now())

    async def keep(self, media_id: str, kept: Kept) -> None:
        """The file is on the disk. StorageError: that could not be written down."""
        self._ring(await self._database.write(self._keep, media_id, kept, self._clock.now()))

    def _keep(self, db: peewee.Database, media_id: str, kept: Kept, now: datetime) -> list[Stored]:
        followers = rows.keep(db, media_id, kept, now=now)
        if not followers:
            return []
        event = arrived(get_event(db, media_id), kept, now)
        routes = [each for handler, target in followers for each in self._routes(handler, Target(id=target), event)]
        return store(db, [Intake(event=event, routes=tuple(routes))]) if routes else []


def arrived(message: Event, kept: Kept, now: datetime) -> Event:
    """The event that a message's file came. Pure but for its id."""
    assert message.media is not None
    about = {name: message.extra[name] for name in _ABOUT if name in message.extra}
    return replace(
        message,
        id=str(uuid7()),
        kind=kinds.MEDIA_ARRIVED,
        created_at=now,
        content="",
        reply_to=None,
        media=replace(message.media, mimetype=kept.mimetype, filename=kept.filename, size=kept.size, caption=None),
        extra=about | {MEDIA_ID: message.id},
    )
