"""Who is who, told by the test."""

from __future__ import annotations

from wagate.hooks import PersonView


class FakePeople:
    """Nobody has a second key but those in ``persons``."""

    def __init__(self) -> None:
        self.persons: list[tuple[str, ...]] = []
        """All keys of each person, the one to write to first."""

    async def of(self, chat: str, *, client_id: int, account: str = "") -> PersonView:
        """Who has this key."""
        _ = client_id, account
        keys = next((keys for keys in self.persons if chat in keys), (chat,))
        known = any(chat in each for each in self.persons)
        return PersonView(keys=(chat, *(key for key in keys if key != chat)), current=keys[0], known=known)

    async def current(self, chat: str, *, client_id: int, account: str = "") -> str:
        """Where to write to."""
        return (await self.of(chat, client_id=client_id, account=account)).current
