"""A Redis Cluster: each queue lies in one hash slot, so what is sent together goes to one node.

Nothing is sent twice behind our back: what a node did not run, since the slot is another's (MOVED), is sent there. ASK
and TRYAGAIN, which nodes answer while a slot is on its way, are refusals like any other. After a refusal, and when an
answer is lost, the caller has to go on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import trio
from outcome import Error, Outcome
from redis.crc import key_slot
from redis.exceptions import MovedError

from wagate.errors import ConfigError, QueueError
from wagate.queue.redis import FORMS, Call, RedisThread, is_refusal, shown

Ranges: TypeAlias = list[tuple[int, int, str]]
"""First slot, last slot, URL of the node that has them."""
LOOK = 1.0
"""Seconds between two looks at who has what, while a node can't be reached."""
HOPS = 3
"""Nodes that what is sent is referred to, one after the other."""


def open_redis(url: str, *, timeout: float = 5.0) -> RedisThread:
    """One server, or a cluster (``redis+cluster://``, ``rediss+cluster://``). Raises ConfigError."""
    clustered = url.partition("://")[0].endswith("+cluster")
    return RedisCluster(url, timeout=timeout) if clustered else RedisThread(url, timeout=timeout)


class RedisCluster(RedisThread):
    """A `RedisThread` for each node that was met, and which slots it has."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        """``url``: ``redis+cluster://[user:password@]host:6379,host2:6379``; some of the nodes. Raises ConfigError."""
        self.url = url
        self._timeout = timeout
        scheme, _, rest = url.partition("://")
        credentials, at, hosts = rest.rstrip("/").rpartition("@")
        self._before_host = f"{scheme.removesuffix('+cluster')}://{credentials}{at}"
        self._threads: dict[str, RedisThread] = {}
        unreadable = ConfigError(f"redis.url can't be read; write {FORMS[scheme]}")
        if not hosts or "/" in hosts:
            raise unreadable
        try:
            for each in hosts.split(","):
                self._node(f"{self._before_host}{each}/0")
        except ConfigError:
            raise unreadable from None
        self._ranges: Ranges = []
        self._doubted = True
        self._looked_at = -math.inf
        self._looking = trio.Lock()

    async def nodes(self) -> Sequence[RedisThread]:
        """Each node that has slots. QueueError."""
        await self._look()
        return [self._node(url) for url in dict.fromkeys(url for _, _, url in self._ranges)]

    async def home(self, key: str) -> str:
        """URL of the node that has this key. QueueError."""
        await self._look()
        slot = key_slot(key.encode())
        for first, last, url in self._ranges:
            if first <= slot <= last:
                return url
        self._doubted = True
        raise QueueError(f"Redis at {shown(self.url)}: no node of the cluster has slot {slot}")

    def note_moved(self, error: MovedError) -> None:
        """A connection of its own was told so: the slot is at another node."""
        self._note_moved(error.slot_id, error.host, error.port)

    async def close(self) -> None:
        """Finish what waits and close all connections."""
        for each in self._threads.values():
            await each.close()

    async def submit(self, *calls: Call) -> list[Outcome[Any]]:
        """Send calls of one queue together, wherever it is. QueueError: that is not known."""
        outcomes = await self._send(calls)
        for _ in range(HOPS):
            moved = {place: each for place, each in enumerate(map(_cause, outcomes)) if isinstance(each, MovedError)}
            if not moved:
                break
            # These have not run: another node has the slot now. Who says so knows which; others may not have heard yet.
            for slot, host, port in {(each.slot_id, each.host, each.port) for each in moved.values()}:
                self._note_moved(slot, host, port)
            again = await self._send([calls[place] for place in moved])
            for place, outcome in zip(moved, again, strict=True):
                outcomes[place] = outcome
        if any(isinstance(_cause(each), MovedError) for each in outcomes):
            # They send it in a circle: whoever has it is asked for before anything is sent again.
            self._looked_at = -math.inf
        return outcomes

    def _note_moved(self, slot: int, host: str, port: int) -> None:
        before = next((url for first, last, url in self._ranges if first <= slot <= last), self._before_host)
        others = [each for each in self._ranges if each[:2] != (slot, slot)]
        self._ranges = [(slot, slot, self._url(before, host, port)), *others]
        if not self._doubted:
            # What else moved is asked a little later: until then, what is sent to the wrong node learns it like this.
            self._doubted, self._looked_at = True, time.monotonic()

    async def _send(self, calls: Sequence[Call]) -> list[Outcome[Any]]:
        key = next((str(word) for call in calls for word in call.words if str(word).startswith("{wg:")), None)
        thread = (await self.nodes())[0] if key is None else self._node(await self.home(key))
        outcomes = await thread.submit(*calls)
        if any(isinstance(each, Error) and not _is_refused(each) for each in outcomes):
            # It is away: a replica may have its place soon.
            self._doubted = True
        return outcomes

    async def _look(self) -> None:
        """Learn who has which slots, if that is not known, or doubted. QueueError: nobody ever said."""
        async with self._looking:
            if not self._doubted or time.monotonic() - self._looked_at < LOOK:
                return
            refusals = await self._ask_all()
            self._looked_at = time.monotonic()
            if not self._ranges:
                raise refusals[0] if refusals else QueueError(f"Redis at {shown(self.url)}: no node has a slot")

    async def _ask_all(self) -> list[QueueError]:
        """The first node to answer counts; why others did not."""
        refusals: list[QueueError] = []

        async def ask(url: str, thread: RedisThread) -> None:
            try:
                answer = await thread.command("CLUSTER SLOTS")
            except QueueError as error:
                refusals.append(error)
                return
            if answer:
                self._ranges = [(first, last, self._url(url, *primary[:2])) for first, last, primary, *_ in answer]
                self._doubted = False
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for url, thread in list(self._threads.items()):
                nursery.start_soon(ask, url, thread)
        return refusals

    def _url(self, asked: str, host: str | None, port: int) -> str:
        """Of a node; without a host it is at the one that was asked."""
        host = host or urlsplit(asked).hostname or ""
        return f"{self._before_host}{f'[{host}]' if ':' in host else host}:{port}/0"

    def _node(self, url: str) -> RedisThread:
        if url not in self._threads:
            self._threads[url] = RedisThread(url, timeout=self._timeout)
        return self._threads[url]


def _cause(each: Outcome[Any]) -> BaseException | None:
    return each.error.__cause__ if isinstance(each, Error) else None


def _is_refused(each: Error) -> bool:
    return isinstance(each.error, QueueError) and is_refusal(each.error)
