"""Look names up without letting dead ones hold anything that others need."""

from __future__ import annotations

import math
import socket
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address

import trio

from wagate.http.errors import NameNotFoundError
from wagate.http.guard import Address

Lookup = Callable[[str], Sequence[str]]
"""A blocking look-up: name to addresses as text; raises OSError (``socket.gaierror``) when there are none."""

Answer = tuple[Address, ...] | str
"""Addresses, or why there are none."""

PER_HOST = 2
"""Threads that one name may hold, those that were given up on included."""


def system_lookup(host: str) -> list[str]:
    """Ask the system, in its order of preference (RFC 6724)."""
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Resolver:
    """Names to addresses: cached, one look-up at a time per name, in threads of its own.

    A blocked ``getaddrinfo`` can't be stopped, only left behind; left-behind threads count until they end, so a dead
    name server can hold ``threads`` of ours and none of trio's common ones.
    """

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        keep: float = 30.0,
        deadline: float = 5.0,
        threads: int = 32,
        most: int = 1000,
    ) -> None:
        """``keep``: seconds an answer is good for; ``deadline``: seconds for one look-up; ``most``: names kept."""
        self._lookup = lookup
        self._keep = keep
        self._deadline = deadline
        self._limiter = trio.CapacityLimiter(threads)
        self._most = most
        self._known: OrderedDict[str, tuple[float, Answer]] = OrderedDict()
        self._asking: dict[str, _Asking] = {}
        self._running = _Running()

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """All addresses of a name, at least one.

        Raises:
            NameNotFoundError: none, or no answer in time; the same for ``keep`` seconds.
        """
        answer = self._fresh(host)
        while answer is None:
            asking = self._asking.get(host)
            if asking is None:
                answer = await self._ask(host)
            else:
                await asking.done.wait()  # it ends: the one who asks has a deadline
                answer = asking.answer
        if isinstance(answer, str):
            raise NameNotFoundError(f"ENOTFOUND: {host}: {answer}")
        return answer

    def _fresh(self, host: str) -> Answer | None:
        until, answer = self._known.get(host, (-math.inf, ""))
        return answer if trio.current_time() < until else None

    async def _ask(self, host: str) -> Answer:
        """Look up and remember. When cancelled, one of those who wait asks again."""
        asking = self._asking[host] = _Asking()
        try:
            asking.answer = await self._look_up(host)
            self._remember(host, asking.answer)
        finally:
            del self._asking[host]
            asking.done.set()
        return asking.answer

    def _remember(self, host: str, answer: Answer) -> None:
        self._known[host] = (trio.current_time() + self._keep, answer)
        self._known.move_to_end(host)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    async def _look_up(self, host: str) -> Answer:
        if self._running.count(host) >= PER_HOST:
            return "earlier look-ups still wait for the name server"
        try:
            with trio.fail_after(self._deadline):
                texts = await trio.to_thread.run_sync(
                    partial(self._running.run, host, self._lookup), limiter=self._limiter, abandon_on_cancel=True
                )
            # A scope (fe80::1%eth0) says nothing that the guard or connect may use.
            return tuple(ip_address(text.partition("%")[0]) for text in texts) or "no address"
        except trio.TooSlowError:
            return f"no answer within {self._deadline:g} s"
        except (OSError, UnicodeError) as error:
            return (getattr(error, "strerror", None) or "not a name").lower()


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
