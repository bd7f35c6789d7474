"""What was stored, from its beginning on, as plugins see it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from wagate.events import Event
from wagate.hooks.views import ChatView
from wagate.storage.database import Database
from wagate.storage.events.listing import get_event
from wagate.storage.threads.archive import chats_after, events_after

MOST = 200
"""Rows at once."""


class StoredArchive:
    """`wagate.hooks.context.Archive`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def event(self, event_id: str, *, client_id: int) -> Event:
        """One event. NotFoundError."""
        return await self._database.read(get_event, event_id, client_id=client_id)

    async def events(
        self,
        *,
        client_id: int,
        kinds: Collection[str],
        since: datetime,
        accounts: Collection[str] = (),
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Event]:
        """Events in the order in which they were stored."""
        return await self._database.read(
            events_after,
            client_id=client_id,
            kinds=kinds,
            accounts=accounts,
            since=since,
            after=after,
            limit=min(limit, MOST),
        )

    async def chats(
        self, *, client_id: int, accounts: Collection[str] = (), after: tuple[str, str] = ("", ""), limit: int = 100
    ) -> Sequence[ChatView]:
        """Chats with who is in them."""
        rows = await self._database.read(
            chats_after, client_id=client_id, accounts=accounts, after=after, limit=min(limit, MOST)
        )
        return [ChatView(**msgspec.structs.asdict(row)) for row in rows]
