"""What an inbox remembers is of one client: when the inbox goes to another, it is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import trio

from wagate.hooks.context import Store

OWNER: Final = "owner"


class OwnedStore:
    """The plugin's store, for one inbox.

    Names change hands: another client may get the slug, or the inbox's table another ``client``, and have an account
    called as before. What was said with the old one's customers, and where, is nothing to the new one.
    """

    def __init__(
        self, store: Store, inbox: str, *, owner: Callable[[], int | None], forgotten: Callable[[], None]
    ) -> None:
        """``owner`` is the client's id now, None as long as there is no such client; ``forgotten`` is called then."""
        self._store = store
        self._inbox = inbox
        self._owner = owner
        self._forgotten = forgotten
        self._known: int | None = None
        self._lock = trio.Lock()

    async def get(self, key: str) -> Any | None:
        """As the store."""
        return await (await self._mine()).get(key)

    async def set(self, key: str, value: Any) -> None:
        """As the store."""
        await (await self._mine()).set(key, value)

    async def delete(self, key: str) -> None:
        """As the store."""
        await (await self._mine()).delete(key)

    async def set_all(self, values: Mapping[str, Any]) -> None:
        """As the store."""
        await (await self._mine()).set_all(values)

    async def items(self, prefix: str = "", *, most: int | None = None) -> Mapping[str, Any]:
        """As the store."""
        return await (await self._mine()).items(prefix, most=most)

    async def forget(self, prefix: str, *, older: float) -> int:
        """As the store."""
        return await (await self._mine()).forget(prefix, older=older)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """As the store."""
        return await (await self._mine()).keys(prefix)

    async def _mine(self) -> Store:
        """The store, with nothing of another client in it."""
        owner = self._owner()
        if owner is not None and owner != self._known:
            async with self._lock:
                await self._take_over(owner)
        return self._store

    async def _take_over(self, owner: int) -> None:
        key = f"{self._inbox}/{OWNER}"
        before = await self._store.get(key)
        if before not in {None, owner}:
            await self._store.forget(f"{self._inbox}/", older=0)
            self._forgotten()
        if before != owner:
            await self._store.set(key, owner)
        self._known = owner
