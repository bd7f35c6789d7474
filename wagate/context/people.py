"""Who people are, as plugins see it: all keys of one person, and the one to write to."""

from __future__ import annotations

from wagate.hooks.views import PersonView
from wagate.inbound.people import People
from wagate.parsing.chats import USER
from wagate.storage.owners.live import LiveDirectory


class KnownPeople:
    """`wagate.hooks.context.People`."""

    def __init__(self, people: People, live: LiveDirectory) -> None:
        self._people = people
        self._live = live

    async def of(self, chat: str, *, client_id: int, account: str = "") -> PersonView:
        """Who has this key. See the protocol."""
        found = self._live.now.accounts.get(account)
        asked = found if found is not None and found.client_id == client_id else None
        row = await self._people.of(chat, client_id=client_id, account=asked)
        if row is None:
            return PersonView(keys=(chat,), current=chat, known=False)
        keys = (chat, *(key for key in row.keys if key != chat))
        return PersonView(keys=keys, name=row.name, current=row.phone or chat)

    async def current(self, chat: str, *, client_id: int, account: str = "") -> str:
        """Where to write to. See the protocol."""
        if not chat.endswith((f"@{USER}", "@lid", "@user")):
            return chat
        return (await self.of(chat, client_id=client_id, account=account)).current
