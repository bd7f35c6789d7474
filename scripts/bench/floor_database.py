"""What storing an event with one delivery costs on SQLite, beside the floor: bare executemany and the same commit.

.venv/bin/python scripts/bench/floor_database.py [--json] [--events 4096] [--batch 32]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import outcome
from uuid_utils import uuid7

from wagate.events import Event
from wagate.storage.backend.dialect import disconnect
from wagate.storage.backend.migrate import migrate
from wagate.storage.backend.sqlite import PRAGMAS, Sqlite
from wagate.storage.backend.writer import Work, Writer
from wagate.storage.events.intake import Intake, Route, store

CHATS = 64
BODY = b'{"entry":[{"changes":[{"value":{"messages":[{"text":{"body":"Hello"}}]}}]}]}' * 10


def intake(number: int) -> Intake:
    now = datetime.now(UTC)
    chat = f"55119{number % CHATS:08}@c.us"
    made = Event(
        id=str(uuid7()), kind="message", account="main", phone="5511888888888", provider="meta", client_id=1,
        tenant="default", created_at=now, timestamp=now, chat=chat, sender=chat, recipient="5511888888888@c.us",
        message_id=f"wamid.{number:020}", type="text", content="Hello, I need help with my order",
    )  # fmt: skip
    route = Route(
        handler="webhook", target_id="webhook:1", key=f"webhook:1|main|{chat}", mode="push", max_retries=3,
        delivery_id=str(uuid7()),
    )  # fmt: skip
    return Intake(event=made, dedupe_key=f"{number * 2654435761 % 2**64:032x}", raw=BODY, routes=(route,))


def measured(run: Callable[[int], None], rounds: int) -> tuple[float, float]:
    """CPU and wall milliseconds for one round."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(rounds):
        run(number)
    return (time.process_time() - cpu) * 1e3 / rounds, (time.perf_counter() - wall) * 1e3 / rounds


def ours(folder: Path, batches: list[list[Intake]], synchronous: str) -> tuple[float, float]:
    writer = Writer(Sqlite(folder / f"ours-{synchronous}.db"))
    check(writer.run([Work(migrate, ("sqlite", "here"))]))
    writer.db.execute_sql(f"PRAGMA synchronous = {synchronous}")
    result = measured(lambda n: check(writer.run([Work(store, (i,), bulk=True) for i in batches[n]])), len(batches))
    disconnect(writer.db)
    return result


def check(outcomes: list[outcome.Outcome[Any]]) -> None:
    for each in outcomes:
        each.unwrap()


def floor(folder: Path, batches: list[list[Intake]], synchronous: str) -> tuple[float, float]:
    """Two tables with a primary key each, rows made beforehand."""
    db = sqlite3.connect(folder / f"floor-{synchronous}.db", isolation_level=None)
    for pragma, value in (PRAGMAS | {"synchronous": synchronous}).items():
        db.execute(f"PRAGMA {pragma} = {value}")
    db.execute(f"CREATE TABLE events (id TEXT PRIMARY KEY, {', '.join(f'c{n}' for n in range(21))})")
    db.execute(f"CREATE TABLE deliveries (id TEXT PRIMARY KEY, {', '.join(f'c{n}' for n in range(13))})")
    events = [[(i.event.id, *["a text of some twenty"] * 20, i.raw) for i in batch] for batch in batches]
    deliveries = [[(i.routes[0].delivery_id, *["a text of some twenty"] * 13) for i in batch] for batch in batches]

    def run(number: int) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(f"INSERT INTO events VALUES ({', '.join('?' * 22)})", events[number])
        db.executemany(f"INSERT INTO deliveries VALUES ({', '.join('?' * 14)})", deliveries[number])
        db.execute("COMMIT")

    result = measured(run, len(batches))
    db.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=32)
    asked = parser.parse_args()
    figures: dict[str, float] = {"batch": asked.batch}
    items = [intake(number) for number in range(asked.events)]
    batches = [items[start : start + asked.batch] for start in range(0, asked.events, asked.batch)]
    with tempfile.TemporaryDirectory() as folder:
        for name, run in (("wagate", ours), ("floor", floor)):
            for synchronous in ("off", "full"):
                cpu, wall = run(Path(folder), batches, synchronous)
                figures[f"{name}_{synchronous}_cpu_ms_per_event"] = round(cpu / asked.batch, 4)
                figures[f"{name}_{synchronous}_wall_ms_per_event"] = round(wall / asked.batch, 4)
    print(json.dumps(figures) if asked.json else "\n".join(f"{name:36} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
