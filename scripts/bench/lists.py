"""What a page costs when much is stored: each list, and taking in a message, with few rows and with many.

    python -m scripts.bench.lists [--json] [--rows 1000000] [--folder FOLDER] [--postgres URL]

Half as many events as deliveries, 40 webhooks and 6 Chatwoot inboxes, 30 clients, 1.2 % failed, 0.2 % waiting, 0.1 %
cancelled. A database that is in the folder already is used again. SQLite, no fsync: what is measured is CPU.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import trio
from msgspec.structs import replace
from uuid_utils import uuid7

from scripts.bench.floor_database import intake
from wagate.inbound.position import count_waiting
from wagate.rules.filters import DeliveryFilter, MessageFilter
from wagate.storage.backend.migrate import migrate
from wagate.storage.backend.postgres import Postgres
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.backend.writer import Work, Writer
from wagate.storage.database import FILE, Database, open_database
from wagate.storage.deliveries.jobs import waiting
from wagate.storage.events.intake import Intake, store
from wagate.storage.events.listing import list_deliveries
from wagate.storage.outbox.messages import list_messages
from wagate.storage.statement import first_id
from wagate.storage.threads.conversations import archive, list_threads
from wagate.storage.upkeep.copies import copy_over

DAYS = 28
CHATS = 9000
ROUNDS = 40
MESSAGES = 320
"""Taken in, in one turn."""
TURNS = 24

EVENTS = (
    "INSERT INTO events (id, client_id, account, phone, provider, kind, chat, sender, recipient, message_id, type, "
    "content, from_me, contact_name, media, reply_to, extra, metadata, raw, timestamp, created_at, unrouted, "
    "account_id) VALUES (?, ?, ?, '1', 'meta', 'message', ?, ?, '1', ?, 'text', ?, 0, 'Name', NULL, NULL, '{}', '{}', "
    "?, ?, ?, 0, '')"
)
DELIVERIES = (
    "INSERT INTO deliveries (id, event_id, handler, target_id, key, seq, client_id, account, chat, mode, status, "
    "settled, attempt_count, max_retries, http_status, error, created_at, updated_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 3, ?, NULL, ?, ?)"
)
SENT = (
    "INSERT INTO messages (id, client_id, account, provider, chat, type, message, status, provider_id, event_id, "
    "delivery_id, source, told, created_at, updated_at) "
    "VALUES (?, ?, ?, 'meta', ?, 'text', '{}', ?, ?, ?, ?, 'api', TRUE, ?, ?)"
)
CHAT = (
    "INSERT INTO chats (client_id, account, chat, name, messages, last_event_id, last_at, created_at) "
    "VALUES (?, ?, ?, '', 5, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET last_event_id = excluded.last_event_id"
)


def seed(path: Path, rows: int) -> None:
    """Fill a migrated database: the indexes are made afterwards, in one go."""
    db = sqlite3.connect(path, isolation_level=None)
    for quick in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -400000", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {quick}")
    indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    db.execute("BEGIN")
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    tables: dict[str, list[tuple[Any, ...]]] = {text: [] for text in (EVENTS, DELIVERIES, SENT, CHAT)}
    for number, made in enumerate(story(rows // 2)):
        for text, added in made.items():
            tables[text] += added
        if number % 10_000 == 0:
            flush(db, tables)
    flush(db, tables)
    db.execute("INSERT INTO dedupe SELECT substr(hex(randomblob(16)), 1, 32), id, id, created_at FROM events")
    db.execute("INSERT INTO lanes SELECT key, MAX(seq) FROM deliveries GROUP BY key")
    for _, text in indexes:
        db.execute(text)
    db.execute("COMMIT")
    db.close()


def new_id(moment: datetime) -> str:
    """A UUIDv7 of this moment."""
    random_part = f"{random.getrandbits(72):018x}"
    return f"{first_id(moment)}-7{random_part[:3]}-8{random_part[3:6]}-{random_part[6:]}"


def flush(db: sqlite3.Connection, tables: dict[str, list[tuple[Any, ...]]]) -> None:
    """Write what was gathered."""
    for text, rows in tables.items():
        db.executemany(text, rows)
        rows.clear()


def story(events: int) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """What each event leaves in the tables."""
    dice = random.Random(3)
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    for n in range(events):
        moment = begin + timedelta(days=DAYS) * (n / events)
        at = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        client, account, chat = 1 + n % 30, f"n{n % 6}", f"1202555{n % CHATS:04}@c.us"
        event_id = new_id(moment)
        deliveries: list[tuple[Any, ...]] = []
        for target in (f"webhook:{n % 40}", f"chatwoot:{n % 6}"):
            chance = dice.random()
            status = next((status for top, status in STATES if chance < top), "delivered")
            lane = (target.split(":")[0], target, f"{target}|{account}|{chat}", n)
            state = ("push", status, status != "pending", 1, 200)
            deliveries.append((new_id(moment), event_id, *lane, client, account, chat, *state, at, at))
        sent = []
        if n % 5 == 0:
            status = dice.choices(["read", "delivered", "sent", "failed"], [70, 20, 9, 1])[0]
            sent = [(new_id(moment), client, account, chat, status, f"wamid.o{n}", event_id, deliveries[0][0], at, at)]
        yield {
            EVENTS: [
                (event_id, client, account, chat, chat, f"wamid.{n}", "Hello, is my order ready?", b"x" * 300, at, at)
            ],
            DELIVERIES: deliveries,
            SENT: sent,
            CHAT: [(client, account, chat, event_id, at, at)],
        }


STATES = ((0.012, "failed"), (0.014, "pending"), (0.015, "cancelled"))


def lists() -> dict[str, Callable[[Any], Any]]:
    """By name."""
    chat = "12025550777@c.us"
    deliveries: dict[str, dict[str, Any]] = {
        "newest": {},
        "of a client": {"client_id": 7},
        "failed": {"status": "failed"},
        "failed of a client": {"status": "failed", "client_id": 7},
        "failed of a target": {"status": "failed", "handler": "webhook", "target": "7"},
        "waiting": {"status": "pending"},
        "cancelled": {"status": "cancelled"},
        "expired, of which there are none": {"status": "expired"},
        "of a chat": {"chat": chat},
        "of an account": {"account": "n3"},
        "of an account that has none": {"account": "none"},
        "of a connector": {"handler": "chatwoot"},
        "of a connector that a client has not": {"handler": "n8n", "client_id": 7},
        "by message id": {"message_id": "wamid.4321"},
        "of the last hour": {"since": datetime.now(UTC) - timedelta(hours=1)},
    }
    messages: dict[str, dict[str, Any]] = {
        "newest": {},
        "failed": {"status": "failed"},
        "of a chat": {"chat": chat},
        "of an account": {"account": "n3"},
        "by the provider's id": {"message_id": "wamid.o4320"},
    }
    made: dict[str, Callable[[Any], Any]] = {
        f"deliveries {name}": listing(list_deliveries, DeliveryFilter, which) for name, which in deliveries.items()
    }
    made |= {f"messages {name}": listing(list_messages, MessageFilter, which) for name, which in messages.items()}
    return made | {
        "conversations, all": partial(list_threads, client_id=None, limit=50),
        "conversations of a client": partial(list_threads, client_id=7, limit=50),
        "conversations of an account": partial(list_threads, client_id=None, account="n3", limit=50),
        "a conversation": partial(archive, client_id=8, chat="12025550007@c.us", limit=50),
        "what waits for a worker": lambda db: waiting(db, ["n8n:1", "webhook:7"], datetime.now(UTC)),
        "what waits, counted beside the traffic": count_waiting,
    }


def listing(of: Any, kind: Any, which: dict[str, Any]) -> Callable[[Any], Any]:
    """A page of a list."""
    filters = kind(**{name: value for name, value in which.items() if name != "client_id"})
    return partial(of, which=filters, client_id=which.get("client_id"), limit=50)


async def listed(database: Database) -> dict[str, tuple[float, float]]:
    """Median and worst milliseconds of each list."""
    figures = {}
    for name, read in lists().items():
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await database.browse(read)
            took.append((time.perf_counter() - began) * 1e3)
            if sum(took) > 3000:
                break
        figures[name] = (round(statistics.median(took), 2), round(sorted(took)[int(0.99 * len(took))], 2))
    return figures


def taken_in(paths: Mapping[str, Path]) -> dict[str, float]:
    """CPU milliseconds of storing one message with its delivery, in batches of 8, in each of these databases.

    In turn, and the mean of the quickest third of all turns: what else runs on the machine slows each of them.
    """
    writers = {name: Writer(Sqlite(path)) for name, path in paths.items()}
    dice = random.Random(5)
    turns: dict[str, list[float]] = {name: [] for name in paths}
    for writer in writers.values():
        writer.db.execute_sql("PRAGMA synchronous = OFF")
        for start in range(0, CHATS, 300):
            stored(writer, [talk(chat) for chat in range(start, min(start + 300, CHATS))])
    for _ in range(TURNS):
        for name, writer in writers.items():
            batches = [[talk(dice.randrange(CHATS)) for _ in range(8)] for _ in range(MESSAGES // 8)]
            began = time.process_time()
            for batch in batches:
                stored(writer, batch)
            turns[name].append((time.process_time() - began) * 1e3 / MESSAGES)
    for writer in writers.values():
        writer.close()
    return {name: round(statistics.mean(sorted(each)[: TURNS // 3]), 4) for name, each in turns.items()}


def talk(number: int) -> Intake:
    """A message in one of the chats that there are."""
    made = intake(int(uuid7().int & 0xFFFFFFFF))
    chat, account, target = f"1202555{number:04}@c.us", f"n{number % 6}", f"webhook:{number % 40}"
    event = replace(made.event, chat=chat, sender=chat, account=account, client_id=1 + number % 30)
    return replace(
        made, event=event, routes=(replace(made.routes[0], target_id=target, key=f"{target}|{account}|{chat}"),)
    )


def stored(writer: Writer, batch: Sequence[Intake]) -> None:
    """In one commit."""
    for result in writer.run([Work(store, (each,), bulk=True) for each in batch]):
        result.unwrap()


def copied(path: Path, url: str) -> None:
    """The same rows in an empty PostgreSQL database."""
    source, target = Sqlite(path).open(writer=False), Postgres(url).open(writer=True)
    with target.atomic():
        target.execute_sql("SET LOCAL statement_timeout = 0")
        copy_over(target, source, "PostgreSQL", lambda _table, _rows: None)
    target.close()
    source.close()


async def measure(folder: Path, rows: int, postgres: str) -> dict[str, Any]:
    """All figures."""
    few, many = folder / "few" / FILE, folder / "many" / FILE
    for each, size in ((few, 2000), (many, rows)):
        each.parent.mkdir(parents=True, exist_ok=True)
        if not each.exists():
            writer = Writer(Sqlite(each))
            writer.run([Work(migrate, ("sqlite", "here"))])[0].unwrap()
            writer.close()
            seed(each, size)
    if postgres:
        copied(many, postgres)
    async with open_database(postgres, many.parent) as database:
        figures = await listed(database)
    intake_ms = taken_in({"few": few, "many": many})
    return {"rows": rows, "lists_ms": figures, "intake_ms": intake_ms, "mb": many.stat().st_size // 10**6}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--postgres", default="", metavar="URL", help="time the lists there; an empty database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = trio.run(measure, given.folder or Path(temporary), given.rows, given.postgres)
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for name, (median, worst) in figures["lists_ms"].items():
        sys.stdout.write(f"{name:45} median {median:8.2f} ms   p99 {worst:8.2f} ms\n")
    sys.stdout.write(f"a message taken in, CPU: {figures['intake_ms']} ms; {figures['mb']} MB\n")


if __name__ == "__main__":
    main()
