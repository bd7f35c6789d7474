"""Threads for look-ups: a few for everybody, so many in all, and the fewer for each the more others need them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import cast

import trio


class Shares:
    """How many threads each owner holds, those that were given up on and still run included."""

    def __init__(self, *, each: int, total: int) -> None:
        """``each``: threads that one owner may hold; ``total``: that all may hold together."""
        self._each = each
        self._total = total
        self._held: Counter[Hashable] = Counter()
        self._changed = trio.Event()

    def limiter(self, owner: Hashable) -> trio.CapacityLimiter:
        """For `trio.to_thread.run_sync`, which takes all that works like trio's own."""
        return cast("trio.CapacityLimiter", _Share(self, owner))

    async def take(self, owner: Hashable) -> None:
        """Hold one thread more, as soon as that is fair."""
        while not self._has_room(owner):
            await self._changed.wait()
        self._held[owner] += 1
        await trio.lowlevel.cancel_shielded_checkpoint()

    def give_back(self, owner: Hashable) -> None:
        """Hold one less."""
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _has_room(self, owner: Hashable) -> bool:
        """Nobody holds more than is left for others: so who comes first can't take all, and the next still finds one.

        Dynamic thresholds (Choudhury and Hahne, 1998), as switches share their memory.
        """
        held, free = self._held.get(owner, 0), self._total - self._held.total()
        return held < self._each and held < free


class _Share:
    """One owner's part, in the form of a trio.CapacityLimiter."""

    def __init__(self, shares: Shares, owner: Hashable) -> None:
        self._shares = shares
        self._owner = owner

    async def acquire_on_behalf_of(self, _borrower: object) -> None:
        """Wait for one's turn."""
        await self._shares.take(self._owner)

    def release_on_behalf_of(self, _borrower: object) -> None:
        """The thread has ended."""
        self._shares.give_back(self._owner)
