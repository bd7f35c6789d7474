"""What is remembered of an inbox: in its process, and in the store, for as long as the inbox is of the same client.

One process knows of an inbox's chats without asking where they go, and whether the last post is certain.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

import trio

from wagate.clock import Clock
from wagate.hooks.context import Store
from wagate_chatwoot.ledger import Place

MOST = 10_000
"""Chats that are remembered; the others stand in the ledger."""
FRESH = 1.0
"""Seconds; the shortest ``queue.lease``. What a dead process had in hand is taken up after a lease, not sooner: nobody
else can have tried and died within this time."""

K = TypeVar("K")
T = TypeVar("T")

Chat = tuple[str, str]
"""(account, chat)."""
OWNER: Final = "owner"
MOST_AGAIN: Final = 3
"""Times that a status is shown again: where our webhook can't be reached at all, each one makes it red again."""


class Memory:
    """Of one inbox. Nothing in it is lost with the process that the ledger or Chatwoot does not know."""

    def __init__(self, clock: Clock, *, started: float) -> None:
        self._clock = clock
        self.started = started
        """Unix seconds when this process began to work."""
        self._began = clock.monotonic()
        self._places: OrderedDict[Chat, Place] = OrderedDict()
        self._certain: OrderedDict[Chat, float] = OrderedDict()
        self._doubtful: set[Chat] = set()
        self.heard = 0.0
        """When the last webhook came that was really Chatwoot's, Unix seconds; 0: not since the process began."""
        self._locks: dict[Chat, trio.Lock] = {}
        self._looked: OrderedDict[int, None] = OrderedDict()
        self._typing: OrderedDict[Chat, float] = OrderedDict()
        self._watched: OrderedDict[Chat, float] = OrderedDict()
        self._again: OrderedDict[tuple[int, str], int] = OrderedDict()
        self.identifier = ""
        """The inbox's own in Chatwoot's public API; '' until it was asked for."""

    def waited(self, since: datetime) -> float:
        """Seconds since a moment, without those before this process began: nobody was there to try, or to be told.

        No more than this process ran, whatever the clock was set to; so many, too, when it stands before that moment.
        """
        age, ran = self._clock.time() - max(since.timestamp(), self.started), self._clock.monotonic() - self._began
        return min(age, ran) if age >= 0 else ran

    def may_show_again(self, message: int, status: str) -> bool:
        """Whether a message's status may be shown once more. Each question counts."""
        times = self._again.get((message, status), 0) + 1
        _put(self._again, (message, status), times)
        return times <= MOST_AGAIN

    def place(self, account: str, chat: str) -> Place | None:
        """Where a chat goes, when that is known here."""
        found = self._places.get((account, chat))
        if found is not None:
            self._places.move_to_end((account, chat))
        return found

    def put(self, account: str, chat: str, place: Place) -> None:
        """Remember it."""
        _put(self._places, (account, chat), place)

    def drop(self, account: str, chat: str) -> None:
        """Forget it."""
        self._places.pop((account, chat), None)

    def clear(self) -> None:
        """Forget all chats: the inbox now belongs to another client."""
        self._places.clear()
        self._certain.clear()
        self._doubtful.clear()
        self._looked.clear()

    def trusts(self, account: str, chat: str, *, attempt: int, created: datetime) -> bool:
        """Whether it is certain that a delivery was not posted before, so that nobody need look.

        No when it was tried, when the chat's last try here ended in doubt (or was cancelled), or when another process
        (the one before this, or one beside it that died) may have tried it. Those leave no trace but time: what was
        stored after this process began and a moment ago was tried by nobody, and in a chat to which this process
        posted a moment ago nobody else can have posted since. So no marker has to be written before each post. Several
        processes need clocks that agree to within a second, as everything with leases does.
        """
        key = (account, chat)
        if attempt > 1 or key in self._doubtful:
            return False
        now, stored = self._clock.time(), created.timestamp()
        if max(self.started, now - FRESH) < stored <= now + FRESH:
            return True
        certain = self._certain.get(key)
        return certain is not None and self._clock.monotonic() - certain < FRESH

    def begin(self, account: str, chat: str) -> None:
        """A post to the chat is about to leave: from here on its outcome is in doubt."""
        self._doubtful.add((account, chat))

    def sure(self, account: str, chat: str) -> None:
        """Its outcome is known, and written down."""
        self._doubtful.discard((account, chat))
        _put(self._certain, (account, chat), self._clock.monotonic())

    def settled(self, account: str, chat: str) -> None:
        """It was certainly not posted."""
        self._doubtful.discard((account, chat))

    def looked(self, conversation: int) -> bool:
        """Whether this process has looked for what agents wrote in the conversation while nobody took webhooks."""
        return conversation in self._looked

    def look(self, conversation: int) -> None:
        """It has."""
        _put(self._looked, conversation, None)

    def types(self, account: str, chat: str, *, on: bool, again: float) -> bool:
        """Note that somebody types, or no longer; whether that is news: the last one is ``again`` seconds old."""
        if not on:
            return self._typing.pop((account, chat), None) is not None
        now = self._clock.monotonic()
        if now - self._typing.get((account, chat), -again) < again:
            return False
        _put(self._typing, (account, chat), now)
        return True

    def watches(self, account: str, chat: str, *, again: float, most: int) -> bool:
        """Note that a chat's typing is asked for; False: it was within ``again`` seconds, or ``most`` others were."""
        now = self._clock.monotonic()
        while self._watched and now - next(iter(self._watched.values())) >= again:
            self._watched.popitem(last=False)
        if (account, chat) in self._watched or len(self._watched) >= most:
            return False
        self._watched[account, chat] = now
        return True

    @asynccontextmanager
    async def alone(self, account: str, keys: Collection[str]) -> AsyncIterator[None]:
        """Nobody else here decides about these keys meanwhile: one person's chats may come by several at once."""
        chats = [(account, key) for key in sorted(set(keys))]
        try:
            async with AsyncExitStack() as stack:
                for chat in chats:
                    await stack.enter_async_context(self._locks.setdefault(chat, trio.Lock()))
                yield
        finally:
            for chat in chats:
                if (lock := self._locks.get(chat)) is not None and not lock.locked():
                    del self._locks[chat]


def _put(rows: OrderedDict[K, T], key: K, value: T) -> None:
    rows[key] = value
    rows.move_to_end(key)
    while len(rows) > MOST:
        rows.popitem(last=False)


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
