"""The whole gateway in this process, on a clock that jumps: real sockets, real Valkey, real SQLite or PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import ours
from wagate.clock import Clock
from wagate.queue.redis import RedisThread
from wagate.testing import gateway as kit
from wagate.testing.gateway import CUSTOMER as CHAT
from wagate.testing.gateway import NUMBER as OURS
from wagate.testing.gateway import PATIENCE, RunningGateway, Tables

__all__ = ["CHAT", "OURS", "PATIENCE", "Gateway", "Json", "gaps", "moment", "running_gateway"]

Json = dict[str, Any]


class Gateway(RunningGateway):
    """`wagate.testing.gateway.RunningGateway`, with what the tests of webhooks ask."""

    async def register(self, url: str, expected: int = 201, **fields: Any) -> Json:
        """Register a webhook for every number of the client ``default``."""
        body = {"phone_number": "*", "webhook_url": url} | fields
        return await self.ask("POST", "/api/webhooks/register", expected, json=body)

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

    async def passes_until(self, there: Callable[[], bool], *, step: float, most: float) -> None:
        """Let time pass in steps until something is so, ``most`` seconds at most."""
        passed = 0.0
        while not there():
            assert passed < most, f"not so after {most} s"
            await self.passes(step)
            passed += step


@asynccontextmanager
async def running_gateway(
    tables: Tables | None = None, *, ca_file: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """A gateway in a temporary folder, with jobs, and no plain http. ``ca_file`` is trusted for https receivers."""
    with pytest.MonkeyPatch.context() as patched:
        # A Valkey that stands still for some seconds is waited for: what becomes of its absence has tests of its own.
        patched.setattr("wagate.process.app.RedisThread", partial(RedisThread, timeout=PATIENCE))
        async with kit.running_gateway(ours(tables or {}), ca_file=ca_file, clock=clock) as made:
            yield Gateway(made.url, made.clock, made.http, made.folder, made.stop)


def moment(text: str) -> datetime:
    """An API time."""
    return datetime.fromisoformat(text)


def gaps(event: Json) -> list[float]:
    """Seconds between the starts of an event's attempts."""
    starts = [moment(each["started_at"]) for each in event["attempts"]]
    return [(after - before).total_seconds() for before, after in itertools.pairwise(starts)]
