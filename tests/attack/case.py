"""What a case is, and the gateway that it attacks."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


Ping = Callable[[int, int], Awaitable[float]]
"""Asks `tests.attack.ping` for a gateway's port and process id: milliseconds."""


@asynccontextmanager
async def pinging() -> AsyncIterator[Ping]:
    """A process that pings."""
    command = [sys.executable, "-I", str(Path(__file__).with_name("ping.py"))]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    into, out = process.stdin, process.stdout

    async def ping(port: int, pid: int) -> float:
        await into.send_all(f"{port} {pid}\n".encode())
        said = b""
        while not said.endswith(b"\n"):
            more = await out.receive_some()
            assert more, "the ping failed: see stderr"
            said += more
        return float(said)

    try:
        yield ping
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await into.aclose()
            await out.aclose()


@dataclass
class Target:
    """A gateway of one's own, and how hard to try."""

    process: GatewayProcess
    seed: int
    short: bool
    """Some seconds for each case in place of a minute."""
    ping: Ping
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
        """Milliseconds that the loop is held up before it answers a ping: it computes, or is blocked in a call."""
        return await self.ping(self.process.port, self.process.pid)

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
    async with https_sink() as sink, gateway(TABLES, ca_file=sink.ca_file) as process, pinging() as ping:
        yield Target(process, seed, short, ping)
