"""Connections that wait for their next request: found by key in one step, bounded over all keys.

httpcore2's own pool asks the socket of every idle connection, twice for each request; a gateway with many targets can't
afford that.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable

import httpcore2
import trio

Connection = httpcore2.AsyncConnectionInterface


class IdleConnections:
    """Newest first out, oldest first closed."""

    def __init__(self, most: int) -> None:
        """``most`` is how many may wait, over all keys."""
        self._most = most
        self._all: OrderedDict[Connection, Hashable] = OrderedDict()
        self._by_key: dict[Hashable, deque[Connection]] = {}

    def __len__(self) -> int:
        return len(self._all)

    async def take(self, key: Hashable) -> Connection | None:
        """A connection that still stands, as far as the socket shows; it is the caller's from now on."""
        while key in self._by_key:
            connection = self._by_key[key][-1]
            self._forget(connection)
            if not connection.has_expired():
                return connection
            await close(connection)
        return None

    async def put(self, key: Hashable, connection: Connection) -> None:
        """Keep an idle connection; close the oldest when there are too many, or when its time is over."""
        self._all[connection] = key
        self._by_key.setdefault(key, deque()).append(connection)
        while True:
            oldest = next(iter(self._all))
            if len(self._all) <= self._most and not oldest.has_expired():
                return
            self._forget(oldest)
            await close(oldest)
            if not self._all:
                return

    async def clear(self) -> None:
        """Close them all."""
        while self._all:
            connection = next(iter(self._all))
            self._forget(connection)
            await close(connection)

    def _forget(self, connection: Connection) -> None:
        key = self._all.pop(connection)
        same = self._by_key[key]
        # It is either the newest of its key (taken) or the oldest (closed): both ends of the deque.
        if same[-1] is connection:
            same.pop()
        else:
            same.popleft()
        if not same:
            del self._by_key[key]


async def close(connection: Connection) -> None:
    """Close even when cancelled; closing a socket waits for nobody."""
    with trio.CancelScope(shield=True):
        await connection.aclose()
