"""What a case is, and the gateway that it attacks."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import trio

from tests.gateway import GatewayProcess, gateway
from tests.http_site import Client as Connection
from tests.sink import https_sink

MB = 1024 * 1024
HELD_UP = 2000
"""Milliseconds for which many at once may hold up the loop."""
SECRET = "0123456789abcdef-app-secret"
TABLES = {
    "server": {"trusted_proxies": ["127.0.0.1"]},
    "limits": {"api": "off"},
    "accounts.main": {
        "provider": "meta",
        "phone": "+15550000001",
        "phone_number_id": "1060000000000001",
        "access_token": "EAA0123456789abcdef",
        "app_secret": SECRET,
        "verify_token": "0123456789abcdef-verify",
    },
    "accounts.phone": {"provider": "session", "webhook_secret": "0123456789abcdef-phone"},
}


class Scheduled(NamedTuple):
    """What a thread has had, in milliseconds. Source: Documentation/scheduler/sched-stats.rst of Linux."""

    computed: float
    """On a processor."""
    waited: float
    """For one, ready to run: not in a call that blocks."""


NEVER = Scheduled(0, 0)


def scheduled(pid: int) -> dict[int, Scheduled]:
    """The threads of a process, by id; its first one has the id of the process."""
    found = {}
    for each in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has ended
            computed, waited, _ = map(int, (each / "schedstat").read_text().split())
            found[int(each.name)] = Scheduled(computed / 1e6, waited / 1e6)
    return found


@dataclass
class Target:
    """A gateway of one's own, and how hard to try."""

    process: GatewayProcess
    seed: int
    short: bool
    """Some seconds for each case in place of a minute."""
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def times(self, full: int, short: int) -> int:
        return short if self.short else full

    def stranger(self) -> dict[str, str]:
        """Headers of somebody who was never here before: no token, an address of its own."""
        return {
            "Authorization": "",
            "X-Forwarded-For": f"198.18.{self.random.randrange(256)}.{self.random.randrange(256)}",
        }

    async def connect(self) -> Connection:
        return Connection(await trio.open_tcp_stream("127.0.0.1", self.process.port))

    async def answers(self) -> float:
        """Milliseconds that the loop is held up before it answers a ping: it computes, or is blocked in a call.

        What a busy machine costs is left out: the time in which a thread of the gateway waits for a processor (it may
        have the interpreter's lock), and in which this thread does so or computes.
        """
        pid, own = self.process.pid, (os.getpid(), threading.get_native_id())
        began, loops, mine = time.monotonic(), scheduled(pid), scheduled(own[0])[own[1]]
        response = await self.process.http.get("/ping")
        assert response.status_code == 200, response.text
        took, now, me = time.monotonic() - began, scheduled(pid), scheduled(own[0])[own[1]]
        waited = sum(each.waited - loops.get(thread, NEVER).waited for thread, each in now.items())
        busy = me.computed - mine.computed + me.waited - mine.waited
        return max(now[pid].computed - loops[pid].computed, took * 1000 - waited - busy)

    def memory(self) -> float:
        """Megabytes that are resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4096 / MB

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@dataclass(frozen=True)
class Case:
    """One attack: the promise that it tries to break, and how."""

    name: str
    promise: str
    probe: Callable[[Target], Awaitable[str]]
    """Raises when the promise falls; what it returns is shown beside it."""


@dataclass(frozen=True)
class Client:
    """A client of its own, as who has its token sees it."""

    slug: str
    token: str
    http: httpx2.AsyncClient

    async def ask(self, method: str, path: str, expected: int = 200, **options: Any) -> Any:
        """What the API answers, which must have this status."""
        answer = await self.http.request(method, path, **options)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def webhook(self, url: str) -> str:
        """Id of a new one, for all that comes in."""
        body = {"phone_number": "*", "name": url[-40:], "webhook_url": url}
        made = await self.ask("POST", "/api/webhooks/register", 201, json=body)
        return str(made["id"])

    async def rows(self, hook: str) -> list[dict[str, Any]]:
        """Its newest deliveries."""
        found: list[dict[str, Any]] = (await self.ask("GET", f"/api/webhooks/{hook}/events?limit=100"))["data"]
        return found


@asynccontextmanager
async def new_client(target: Target) -> AsyncIterator[Client]:
    """A client that is gone afterwards."""
    slug = f"c{target.random.randrange(10**9)}"
    made = await target.process.http.post("/api/clients", json={"slug": slug})
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    async with target.process.client(token) as http:
        yield Client(slug, token, http)
    gone = await target.process.http.delete(f"/api/clients/{slug}")
    assert gone.status_code in {200, 204}, gone.text


@asynccontextmanager
async def target(*, seed: int, short: bool) -> AsyncIterator[Target]:
    """A gateway process in a temporary folder, on loopback."""
    async with https_sink() as sink, gateway(TABLES, ca_file=sink.ca_file) as process:
        yield Target(process, seed, short)
