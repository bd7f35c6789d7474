"""Look names up without letting dead ones hold anything that others need, threads included."""

from __future__ import annotations

import math
import socket
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import TypeVar, cast

import trio

from wagate.http.errors import NameNotFoundError
from wagate.http.guard import Address
from wagate.http.owner import OWNER, REGISTERING

Lookup = Callable[[str], Sequence[str]]
"""A blocking look-up: name to addresses as text; raises OSError (``socket.gaierror``) when there are none."""

Answer = tuple[Address, ...] | str
"""Addresses, or why there are none."""

Asked = tuple[int | None, str]
"""(for which client, host)."""
K = TypeVar("K")
V = TypeVar("V")

PER_HOST = 2
"""Threads that one name may hold, those that were given up on included."""


def system_lookup(host: str) -> list[str]:
    """Ask the system, in its order of preference (RFC 6724)."""
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Resolver:
    """Names to addresses: cached, one look-up at a time per name and client, in threads of its own.

    A blocked ``getaddrinfo`` can't be stopped, only left behind; left-behind threads count until they end, so that dead
    names hold ``threads`` of their client (`wagate.http.owner`), and none of others or of trio's common ones. What a
    client asks of the API, such as to register a webhook, has threads apart from its deliveries.
    When the name servers don't answer, the last answer goes on to count for ``stale`` seconds.
    """

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        keep: float = 30.0,
        deadline: float = 5.0,
        threads: int = 8,
        total: int = 64,
        most: int = 1000,
        stale: float = 3600.0,
    ) -> None:
        """``keep``: seconds an answer is good for; ``deadline``: seconds for one look-up; ``most``: names kept.

        ``threads`` may be held for one client, ``total`` for all together: see `wagate.http.resolve`.
        """
        self._lookup = lookup
        self._keep = keep
        self._deadline = deadline
        self._shares = Shares(each=threads, total=total)
        self._most = most
        self._stale = stale
        self._known: OrderedDict[Asked, tuple[float, Answer]] = OrderedDict()
        """Answers that are good for everybody under (None, host); why there are none, for each who asked."""
        self._good: OrderedDict[str, tuple[float, tuple[Address, ...]]] = OrderedDict()
        """The last addresses of a name, and until when they may stand in."""
        self._asking: dict[Asked, _Asking] = {}
        self._running = _Running()

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """All addresses of a name, at least one.

        Raises:
            NameNotFoundError: none, or no answer in time; the same for ``keep`` seconds.
        """
        asked = (OWNER.get(), host)
        answer = self._fresh(asked)
        while answer is None:
            asking = self._asking.get(asked)
            if asking is None:
                answer = await self._ask(asked)
            else:
                await asking.done.wait()  # it ends: the one who asks has a deadline
                answer = asking.answer
        if isinstance(answer, str):
            raise NameNotFoundError(f"ENOTFOUND: {host}: {answer}")
        return answer

    def _fresh(self, asked: Asked) -> Answer | None:
        for key in ((None, asked[1]), asked):
            until, answer = self._known.get(key, (-math.inf, ""))
            if trio.current_time() < until and (key == asked or not isinstance(answer, str)):
                return answer
        return None

    async def _ask(self, asked: Asked) -> Answer:
        """Look up and remember. When cancelled, one of those who wait asks again."""
        asking = self._asking[asked] = _Asking()
        try:
            asking.answer = await self._look_up(asked)
            self._remember(asked, asking.answer)
        finally:
            del self._asking[asked]
            asking.done.set()
        return asking.answer

    def _remember(self, asked: Asked, answer: Answer) -> None:
        key = asked if isinstance(answer, str) else (None, asked[1])
        _put(self._known, key, (trio.current_time() + self._keep, answer), self._most)

    async def _look_up(self, asked: Asked) -> Answer:
        host = asked[1]
        if self._running.count(host) >= PER_HOST:
            return self._last(host) or "earlier look-ups still wait for the name server"
        try:
            with trio.fail_after(self._deadline):
                texts = await trio.to_thread.run_sync(
                    partial(self._running.run, host, self._lookup),
                    limiter=self._shares.limiter((asked[0], REGISTERING.get())),
                    abandon_on_cancel=True,
                )
        except trio.TooSlowError:
            return self._last(host) or f"no answer within {self._deadline:g} s"
        except socket.gaierror as error:
            known = self._last(host) if error.errno == socket.EAI_AGAIN else None
            return known or (error.strerror or "not a name").lower()
        except (OSError, UnicodeError) as error:
            return (getattr(error, "strerror", None) or "not a name").lower()
        # A scope (fe80::1%eth0) says nothing that the guard or connect may use.
        found = tuple(ip_address(text.partition("%")[0]) for text in texts)
        if found:
            _put(self._good, host, (trio.current_time() + self._stale, found), self._most)
        return found or "no address"

    def _last(self, host: str) -> tuple[Address, ...] | None:
        """The last addresses of a name whose servers don't answer now; the guard judges them like any."""
        until, found = self._good.get(host, (-math.inf, ()))
        return found if trio.current_time() < until else None


def _put(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


class _Asking:
    """One look-up under way, for all who want the same name."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Answer | None = None


class _Running:
    """How many threads look each name up right now; counted by the threads, since trio forgets abandoned ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: Counter[str] = Counter()

    def count(self, host: str) -> int:
        with self._lock:
            return self._hosts[host]

    def run(self, host: str, lookup: Lookup) -> Sequence[str]:
        with self._lock:
            self._hosts[host] += 1
        try:
            return lookup(host)
        finally:
            with self._lock:
                self._hosts[host] -= 1
                if not self._hosts[host]:
                    del self._hosts[host]


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
