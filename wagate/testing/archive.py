"""An archive in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from wagate.errors import NotFoundError
from wagate.events import Event
from wagate.hooks import ChatView


class FakeArchive:
    """`wagate.hooks.context.Archive`; put `Event`s into ``stored``, oldest first, and `ChatView`s into ``talks``."""

    def __init__(self) -> None:
        self.stored: list[Event] = []
        self.talks: dict[int, list[ChatView]] = {}
        """By client."""

    async def event(self, event_id: str, *, client_id: int) -> Event:
        """One event."""
        for event in self.stored:
            if (event.id, event.client_id) == (event_id, client_id):
                return event
        raise NotFoundError("no such event")

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
        """Events in their order; ids must rise, as they do in the real one."""
        found = [
            event
            for event in self.stored
            if event.client_id == client_id
            and event.kind in kinds
            and event.timestamp >= since
            and (not accounts or event.account in accounts)
            and event.id > after
        ]
        return found[:limit]

    async def chats(
        self, *, client_id: int, accounts: Collection[str] = (), after: tuple[str, str] = ("", ""), limit: int = 100
    ) -> Sequence[ChatView]:
        """Chats by (chat, account)."""
        found = [
            each
            for each in sorted(self.talks.get(client_id, []), key=lambda each: (each.chat, each.account))
            if (not accounts or each.account in accounts) and (each.chat, each.account) > after
        ]
        return found[:limit]
