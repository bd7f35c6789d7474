"""The whole gateway in this process, on a clock that jumps: real sockets, real Valkey, real SQLite or PostgreSQL."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

from tests.gateway import TOKEN, toml
from tests.rest import at_rest
from wagate.clock import Clock
from wagate.config import load
from wagate.process.app import serve
from wagate.queue.redis import RedisThread

PATIENCE = 60
OURS = "+5511888888888"
CHAT = "+5511999999999"
Json = dict[str, Any]


@dataclass
class Gateway:
    """A running gateway and a client with the admin token."""

    url: str
    clock: Clock
    http: httpx2.AsyncClient
    folder: Path
    stop: trio.Event
    """Ends it."""

    async def ask(self, method: str, path: str, expected: int = 200, **options: Any) -> Json:
        """What the API answers, which must have this status."""
        response = await self.http.request(method, path, **options)
        assert response.status_code == expected, f"{response.status_code} {response.text}"
        return response.json() if response.content else {}

    async def register(self, url: str, expected: int = 201, **fields: Any) -> Json:
        """Register a webhook for every number of the client ``default``."""
        body = {"phone_number": "*", "webhook_url": url} | fields
        return await self.ask("POST", "/api/webhooks/register", expected, json=body)

    async def post(self, text: str, *, chat: str = CHAT, expected: int = 202, **fields: Any) -> Json:
        """One message comes in; its text is its id too."""
        body = {"from": chat, "to": OURS, "message": {"text": text}, "message_id": text, "tenant_id": "default"}
        return await self.ask("POST", "/webhook/inbound", expected, json=body | fields)

    async def client(self, slug: str) -> Json:
        """A new client with its token."""
        return await self.ask("POST", "/api/clients", 201, json={"slug": slug})

    async def webhook(self, hook: Json) -> Json:
        """The webhook's row as it is now."""
        return await self.ask("GET", f"/api/webhooks/{hook['id']}")

    async def events(self, hook: Json) -> list[Json]:
        """All events of a webhook, oldest first."""
        rows: list[Json] = []
        query: Json = {"limit": 200}
        while True:
            page = await self.ask("GET", f"/api/webhooks/{hook['id']}/events", params=query)
            rows += page["data"]
            if page["next_cursor"] is None:
                return rows[::-1]
            query["cursor"] = page["next_cursor"]

    async def event(self, hook: Json, text: str, *statuses: str, attempts: int = 0) -> Json:
        """The event of one message, as soon as it has one of these statuses and so many tries on record."""
        found: Json = {}

        async def there() -> bool:
            rows = [row for row in await self.events(hook) if row["message_id"] == text]
            found.update(rows[0] if rows else {})
            return bool(rows) and (found["status"] in statuses or not statuses) and len(found["attempts"]) >= attempts

        await self.until(there, lambda: str(found))
        return found

    async def until(self, there: Callable[[], Awaitable[bool]], told: Callable[[], str] = lambda: "") -> None:
        """Ask again and again; the answers change only with what others do."""
        with trio.move_on_after(PATIENCE):
            while not await there():
                await trio.sleep(0.02)
            return
        raise AssertionError(f"not so after {PATIENCE} s: {told()}")

    async def passes(self, seconds: float, *, step: float | None = None) -> None:
        """Let time pass, in steps, once all that runs has come to rest."""
        await at_rest()
        while seconds > 0:
            now = min(seconds, step or seconds)
            self.clock.shift(now)
            await at_rest()
            seconds -= now

    async def passes_until(self, there: Callable[[], bool], *, step: float, most: float) -> None:
        """Let time pass in steps until something is so, ``most`` seconds at most."""
        passed = 0.0
        while not there():
            assert passed < most, f"not so after {most} s"
            await self.passes(step)
            passed += step


@asynccontextmanager
async def running_gateway(
    tables: Mapping[str, Mapping[str, Any]] | None = None, *, ca_file: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """A gateway in a temporary folder. ``ca_file`` is trusted for https receivers."""
    clock = clock or Clock()
    stop = trio.Event()
    with tempfile.TemporaryDirectory(prefix="wg") as folder, _trusted(ca_file), pytest.MonkeyPatch.context() as patched:
        # A Valkey that stands still for some seconds is waited for: what becomes of its absence has tests of its own.
        patched.setattr("wagate.process.app.RedisThread", partial(RedisThread, timeout=PATIENCE))
        file = Path(folder) / "config.toml"
        file.write_text(toml(0, {"limits": {"api": "off", "auth": "off"}, **(tables or {})}))
        config = load(file, {})
        async with trio.open_nursery() as nursery:
            started = await nursery.start(partial(serve, config, stop=stop, clock=clock))
            headers = {"Authorization": f"Bearer {TOKEN}"}
            http = httpx2.AsyncClient(base_url=started.urls[0], headers=headers, timeout=60, trust_env=False)
            try:
                yield Gateway(started.urls[0], clock, http, Path(folder), stop)
            finally:
                with trio.CancelScope(shield=True):
                    await http.aclose()
                stop.set()


@contextmanager
def _trusted(ca_file: Path | None) -> Iterator[None]:
    """The gateway's TLS context is made with its first request, from what the environment says then."""
    before = os.environ.get("SSL_CERT_FILE")
    if ca_file is not None:
        os.environ["SSL_CERT_FILE"] = str(ca_file)
    try:
        yield
    finally:
        os.environ.pop("SSL_CERT_FILE", None)
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def moment(text: str) -> datetime:
    """An API time."""
    return datetime.fromisoformat(text)


def gaps(event: Json) -> list[float]:
    """Seconds between the starts of an event's attempts."""
    starts = [moment(each["started_at"]) for each in event["attempts"]]
    return [(after - before).total_seconds() for before, after in itertools.pairwise(starts)]
