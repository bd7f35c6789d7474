"""What it costs PostgreSQL to forget: deleting in slices, as wagate does, beside dropping partitions by time.

``python -m scripts.bench.retention [--events 500000] [--json]``

The same events, each with a delivery and an attempt, twice: in wagate's tables, and in tables of the same form that
are partitioned by day (by their ids, which begin with the time). wagate's own code runs on both: taking in, finding the
next delivery of chats, finding one by id. Then the older half goes: deleted from one, dropped from the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import trio

from scripts.bench.floor_database import intake
from scripts.bench.scale import cpu, postgres
from wagate.storage.database import Database, open_database
from wagate.storage.deliveries.lanes import heads
from wagate.storage.events.intake import store
from wagate.storage.events.listing import get_delivery
from wagate.storage.statement import first_id
from wagate.storage.upkeep.retention import delete_events

DAYS = 30
CHATS = 9000
LOOKS = 300
TAKEN_IN = 4000
ID = (
    "overlay(overlay(lpad(to_hex(({begin} + n * {step})::bigint), 12, '0') placing '-' from 9 for 0)"
    " placing '-7' from 14 for 0) || substr(md5(n::text), 1, 3) || '-8' || substr(md5(n::text), 4, 3)"
    " || '-' || substr(md5(n::text), 7, 12)"
)
EVENTS = (
    "INSERT INTO events (id, client_id, account, phone, provider, kind, chat, sender, recipient, message_id, type,"
    " content, from_me, extra, metadata, raw, timestamp, created_at, account_id)"
    " SELECT {id}, 1, 'a', '1', 'meta', 'message', 'c' || n % {chats}, 's', 'r', 'm' || n, 'text', repeat('x', 80),"
    " FALSE, '{{}}', '{{}}', convert_to(repeat(md5(n::text), 12), 'utf8'), moment, moment, ''"
    " FROM (SELECT n, to_timestamp(({begin} + n * {step}) / 1000.0) AS moment FROM generate_series(1, {events}) AS n)"
)
DELIVERIES = (
    "INSERT INTO deliveries (id, event_id, handler, target_id, key, seq, client_id, account, chat, mode, status,"
    " settled, attempt_count, max_retries, created_at, updated_at)"
    " SELECT id, id, 'webhook', 'webhook:w', 'webhook:w|a|' || chat, 1, 1, 'a', chat, 'push', 'delivered', TRUE, 1, 3,"
    " created_at, created_at FROM events"
)
ATTEMPTS = (
    "INSERT INTO attempts (delivery_id, number, started_at, duration_ms, http_status)"
    " SELECT id, 1, created_at, 5, 200 FROM deliveries"
)
BY = {"events": "id", "deliveries": "id", "attempts": "delivery_id"}
"""Tables that are partitioned, and by which id."""


def partition(db: psycopg.Connection[Any], begin: datetime) -> None:
    """Tables of the same form and name in a schema of their own, which comes first in ``search_path``."""
    db.execute("CREATE SCHEMA parted")
    db.execute("CREATE TABLE parted.migrations AS TABLE public.migrations")
    for table, column in BY.items():
        db.execute(
            f"CREATE TABLE parted.{table} (LIKE public.{table} INCLUDING ALL EXCLUDING INDEXES)"
            f" PARTITION BY RANGE ({column})"
        )
        for name, text in db.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s", (table,)
        ).fetchall():
            if table != "attempts" or not name.endswith("_pkey"):
                db.execute(text.replace(f"public.{table}", f"parted.{table}"))
        bounds = ["MINVALUE", *(f"'{first_id(begin + timedelta(days=day))}'" for day in range(1, DAYS + 2)), "MAXVALUE"]
        for day, (first, after) in enumerate(pairwise(bounds)):
            db.execute(
                f"CREATE TABLE parted.{table}_{day} PARTITION OF parted.{table} FOR VALUES FROM ({first}) TO ({after})"
            )
    db.execute(
        "ALTER TABLE parted.deliveries ADD FOREIGN KEY (event_id) REFERENCES parted.events (id) ON DELETE CASCADE"
    )
    db.execute(
        "ALTER TABLE parted.attempts ADD FOREIGN KEY (delivery_id) REFERENCES parted.deliveries (id) ON DELETE CASCADE"
    )


def fill(db: psycopg.Connection[Any], events: int, begin: datetime) -> None:
    """In both forms."""
    values = {
        "begin": int(begin.timestamp() * 1000),
        "step": DAYS * 86_400_000 / events,
        "events": events,
        "chats": CHATS,
    }
    for schema in ("public", "parted, public"):
        db.execute(f"SET search_path = {schema}")
        db.execute(EVENTS.format(id=ID.format(**values), **values))
        db.execute(DELIVERIES)
        db.execute(ATTEMPTS)
    db.execute("VACUUM ANALYZE")
    db.execute("CHECKPOINT")


class Cost:
    """CPU of the server and bytes of its log, since it was made."""

    def __init__(self, db: psycopg.Connection[Any], server: psutil.Process) -> None:
        self._db, self._server = db, server
        self._cpu, self._log, self._time = cpu(server), self._written(), time.perf_counter()

    def _written(self) -> int:
        [[at]] = self._db.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()
        return int(at)

    def of(self, count: int) -> dict[str, float]:
        """Since then, for each of so many."""
        return {
            "server_cpu_us": (cpu(self._server) - self._cpu) / count * 1e6,
            "wal_bytes": (self._written() - self._log) / count,
            "us": (time.perf_counter() - self._time) / count * 1e6,
        }


async def use(database: Database, cost: Callable[[], Cost], name: str) -> dict[str, dict[str, float]]:
    """What the gateway does all day."""
    ids = [
        row[0]
        for row in await database.read(
            lambda db: db.execute_sql("SELECT id FROM deliveries ORDER BY md5(id) LIMIT %s", (LOOKS,)).fetchall()
        )
    ]
    found: dict[str, dict[str, float]] = {}
    for place, turn in enumerate(("warm", name)):
        first = (place + 2 * (name != "plain")) * TAKEN_IN  # No duplicates of the turns before.
        begun = cost()
        async with trio.open_nursery() as nursery:
            for number in range(TAKEN_IN):
                nursery.start_soon(database.write_bulk, store, intake(first + number))
        found[f"take in, {turn}"] = begun.of(TAKEN_IN)
        begun = cost()
        for look in range(LOOKS):
            keys = [f"webhook:w|a|c{(look * 32 + n) % CHATS}" for n in range(32)]
            await database.read(partial(heads, skip=False, now=datetime.now(UTC)), keys)
        found[f"heads of 32 chats, {turn}"] = begun.of(LOOKS)
        begun = cost()
        for each in ids:
            await database.read(get_delivery, each)
        found[f"one by id, {turn}"] = begun.of(LOOKS)
    return {key: value for key, value in found.items() if not key.endswith("warm")}


async def forget(
    database: Database, cost: Callable[[], Cost], before: datetime, slice_: int, most: int
) -> dict[str, float]:
    """Delete as the gateway does; with how long the longest slice held the writer."""
    begun, total, held = cost(), 0, []
    while total < most:
        began = time.perf_counter()
        if not (deleted := await database.write(delete_events, before, before, slice_)):
            break
        held.append(time.perf_counter() - began)
        total += deleted
    return {
        **begun.of(total),
        "events": float(total),
        "slice_p50_ms": statistics.median(held) * 1000,
        "slice_longest_ms": max(held) * 1000,
    }


async def bench(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    half = begin + timedelta(days=DAYS / 2)
    rows: dict[str, dict[str, float]] = {}
    with (
        postgres() as (url, server),
        tempfile.TemporaryDirectory() as folder,
        psycopg.connect(url, autocommit=True) as db,
    ):
        async with open_database(url, Path(folder)):
            pass
        partition(db, begin)
        fill(db, options.events, begin)
        db.execute("SET search_path = public")
        cost = partial(Cost, db, server)
        both = {"plain": url, "by day": f"{url}&options=-csearch_path%3Dparted,public"}
        for name, where in both.items():
            async with open_database(where, Path(folder)) as database:
                rows |= await use(database, cost, name)
        async with open_database(url, Path(folder)) as database:
            for slice_ in (500, 5000):
                rows[f"delete, slices of {slice_}"] = await forget(database, cost, half, slice_, options.events // 4)
        begun = cost()
        db.execute("VACUUM events, deliveries, attempts")
        rows["vacuum after it"] = begun.of(options.events // 2)
        count = 0
        for day in range(DAYS // 2):
            count += len(db.execute(f"SELECT 1 FROM parted.events_{day}").fetchall())
        begun = cost()
        for day in range(DAYS // 2):
            for table in reversed(BY):
                # A partition that others refer to must be detached, which looks for what refers to it.
                db.execute(f"ALTER TABLE parted.{table} DETACH PARTITION parted.{table}_{day}")
                db.execute(f"DROP TABLE parted.{table}_{day}")
        rows["drop partitions"] = begun.of(count)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = trio.run(bench, options)
    if options.json:
        print(json.dumps({"bench": "retention", "rows": rows}))
        return
    for name, figures in rows.items():
        print(f"{name:<30}" + "  ".join(f"{key}={value:.1f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
