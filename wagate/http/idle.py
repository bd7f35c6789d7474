"""Connections that wait for their next request: only clean ones, found by key in one step, bounded over all keys.

httpcore2's own pool asks the socket of every idle connection, twice for each request; a gateway with many targets can't
afford that.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Any

import httpcore2
import trio

from wagate.http.stream import Stream

Connection = httpcore2.AsyncConnectionInterface

BODILESS = frozenset({204, 304})
"""Answers without a body, whatever their heads say."""
_NOTHING = (b"", False)
"""h11's word for: no bytes, and not the end."""


class IdleConnections:
    """Newest first out, oldest first closed."""

    def __init__(self, most: int, *, seconds: float) -> None:
        """``most`` is how many may wait, over all keys; ``seconds`` how long at most."""
        self._most = most
        self._seconds = seconds
        self._all: OrderedDict[Connection, tuple[Hashable, float]] = OrderedDict()
        self._by_key: dict[Hashable, deque[Connection]] = {}

    def __len__(self) -> int:
        return len(self._all)

    async def take(self, key: Hashable) -> Connection | None:
        """The newest connection; it is the caller's from now on.

        Whether it still stands, and has stayed quiet, is looked at when the request leaves (`wagate.http.stream`): a
        look taken here would be too early.
        """
        while key in self._by_key:
            connection = self._by_key[key][-1]
            if trio.current_time() < self._forget(connection):
                return connection
            await close(connection)
        return None

    async def put(self, key: Hashable, connection: Connection) -> None:
        """Keep a connection that is clean (`wagate.http.idle`); close the oldest ones over number or time."""
        now = trio.current_time()
        self._all[connection] = key, now + self._seconds
        self._by_key.setdefault(key, deque()).append(connection)
        while self._all:
            oldest, (_, ends) = next(iter(self._all.items()))
            if len(self._all) <= self._most and now < ends:
                return
            self._forget(oldest)
            await close(oldest)

    async def clear(self) -> None:
        """Close them all."""
        while self._all:
            connection = next(iter(self._all))
            self._forget(connection)
            await close(connection)

    def _forget(self, connection: Connection) -> float:
        """Until when it might have waited."""
        key, ends = self._all.pop(connection)
        same = self._by_key[key]
        # It is either the newest of its key (taken) or the oldest (closed): both ends of the deque.
        if same[-1] is connection:
            same.pop()
        else:
            same.popleft()
        if not same:
            del self._by_key[key]
        return ends


async def close(connection: Connection) -> None:
    """Close even when cancelled; closing a socket waits for nobody."""
    with trio.CancelScope(shield=True):
        await connection.aclose()


def is_reusable(connection: Connection, request: httpcore2.Request, head: httpcore2.Response) -> bool:
    """Whether the request had wholly left before its answer began, that was wholly read, and nothing lies behind it.

    An answer whose end can be disputed (RFC 9112, section 6.3) is its connection's last, too.
    """
    return (
        connection.is_idle()
        and stream_of(head).settled
        and not left_in_parser(connection)
        and not _disputed_end(request, head)
    )


def stream_of(head: httpcore2.Response) -> Stream:
    """The connection's bytes: ours, for we dialled it and asked for no other protocol."""
    stream = head.extensions["network_stream"]
    assert isinstance(stream, Stream)
    return stream


def left_in_parser(connection: Connection) -> bool:
    """Bytes that h11 holds: they would be the next request's answer.

    httpcore2 keeps its parser to itself. Should it move, no connection is kept any more, and the tests say so.
    """
    inner: Any = connection
    while (deeper := getattr(inner, "_connection", None)) is not None:  # by a proxy, or direct
        inner = deeper
    parser = getattr(inner, "_h11_state", None)
    return parser is None or parser.trailing_data != _NOTHING


def _disputed_end(request: httpcore2.Request, head: httpcore2.Response) -> bool:
    """Two framings; or a body that is announced where none may follow, and may be on its way all the same."""
    lengths = set()
    chunked = False
    for name, value in head.headers:
        low = name.lower()
        if low == b"content-length":
            lengths.add(value)
        elif low == b"transfer-encoding":
            chunked = True
    if head.status in BODILESS or request.method == b"HEAD":
        return chunked or bool(lengths - {b"0"})
    return chunked and bool(lengths)
