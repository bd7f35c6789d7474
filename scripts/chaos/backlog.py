"""One client's jobs are not taken."""

from __future__ import annotations

import itertools
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from scripts.bench.lists import DELIVERIES, EVENTS, flush, new_id
from scripts.chaos.scenario import Scenario, Size
from tests.gateway import GatewayProcess, gateway
from wagate.storage.database import FILE

OFTEN = 20
"""Jobs of each chat that wait."""
AT_ONCE = 4
"""Requests under way at once, while answers are timed."""


async def backlog(size: Size) -> str:
    """Many jobs of one client wait; its own messages and another client's are answered as before."""
    waiting, asked = size.of(1500, 300_000), size.of(60, 1000)
    numbers = itertools.count()
    async with gateway({"limits": {"intake": "off"}}) as server:
        ids = {}
        for slug in ("slow", "other"):
            answer = await server.http.post("/api/clients", json={"slug": slug})
            assert answer.status_code == 201, answer.text
            ids[slug] = answer.json()["id"]
        before = {slug: await slowest_answer(server, slug, asked, numbers) for slug in ids}
        assert await server.stop() == 0
        await trio.to_thread.run_sync(pile_up, server.folder / "data" / FILE, ids["slow"], waiting)
        await server.start()
        after = {slug: await slowest_answer(server, slug, asked, numbers) for slug in ids}
    for slug in ids:
        # A busy machine makes any answer slow now and then; what this looks for made them slow by a second.
        assert after[slug] < 3 * before[slug] + 0.5, f"{slug}: {before[slug] * 1e3:.0f} → {after[slug] * 1e3:.0f} ms"
    figures = "; ".join(f"{slug} {before[slug] * 1e3:.0f} → {after[slug] * 1e3:.0f} ms" for slug in ids)
    return f"{waiting} waiting: p95 of the answers, {figures}"


def pile_up(path: Path, client: int, count: int) -> None:
    """So many jobs of one client that wait, as if they had come in."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    now = datetime.now(UTC)
    at = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    db.execute("BEGIN")
    tables: dict[str, list[tuple[Any, ...]]] = {EVENTS: [], DELIVERIES: []}
    lanes = set()
    for number in range(count):
        chat = f"1202{number // OFTEN:07}@c.us"
        key = f"n8n:{client}|slow|{chat}"
        event_id = new_id(now)
        lanes.add(key)
        tables[EVENTS].append((event_id, client, "slow", chat, chat, f"b{number}", "Hello", b"{}", at, at))
        row = ("n8n", f"n8n:{client}", key, number % OFTEN + 1, client, "slow", chat, "pull", "pending", 0, 0, None)
        tables[DELIVERIES].append((new_id(now), event_id, *row, at, at))
        if len(tables[EVENTS]) == 10_000:
            flush(db, tables)
    flush(db, tables)
    db.executemany("INSERT INTO lanes VALUES (?, ?)", [(key, OFTEN) for key in lanes])
    db.execute("COMMIT")
    db.close()


async def slowest_answer(server: GatewayProcess, tenant: str, count: int, numbers: itertools.count[int]) -> float:
    """Seconds in which 95 of 100 messages are answered."""
    took: list[float] = []

    async def some() -> None:
        for _ in range(count // AT_ONCE):
            text = f"a{next(numbers)}"
            body = {"from": "+15550001234", "message": text, "message_id": text, "tenant_id": tenant}
            began = time.monotonic()
            answer = await server.http.post("/webhook/inbound", json=body)
            assert answer.status_code == 202, answer.text
            took.append(time.monotonic() - began)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(some)
    return sorted(took)[int(0.95 * len(took))]


BACKLOG = (
    Scenario(
        name="backlog",
        fault="one client's jobs are not taken",
        promise="the answers to everybody's messages take as long as before",
        run=backlog,
    ),
)
