"""Migrations and views, on both databases."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import trio

from tests.rows import NOW, intake, route
from wagate.errors import StorageError
from wagate.storage import models
from wagate.storage.backend.migrate import migrations
from wagate.storage.database import Database, open_database
from wagate.storage.events.intake import store
from wagate.storage.fields import as_time, time_text
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.endpoints import NewWebhook, create_webhook
from wagate.storage.statement import rows, run


@pytest.fixture
def has_tables() -> bool:
    """How a database gets its form is the matter here: each begins with nothing."""
    return False


async def test_migrations_are_applied_once_and_recorded(database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        async with open_database(database_url, tmp_path) as database:
            found = await database.read(rows, "SELECT number, name FROM migrations ORDER BY number")
            assert found == [(each.number, each.name) for each in migrations(database.dialect)]
            assert [number for number, _ in found] == list(range(1, len(found) + 1))


async def test_a_newer_database_is_refused(database_url: str, tmp_path: Path) -> None:
    async with open_database(database_url, tmp_path) as database:
        values = (99, "future", NOW.isoformat())
        await database.write(run, "INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)", values)
    with pytest.raises(StorageError, match=r"newer wagate \(its migration 99"):
        async with open_database(database_url, tmp_path):
            pass


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nobody waits too long for the others."""
    monkeypatch.setattr("wagate.storage.backend.sqlite.BUSY_SECONDS", 60.0)
    monkeypatch.setattr("wagate.storage.backend.postgres.SETTINGS", "SET timezone = 'UTC'")


@pytest.mark.usefixtures("patient")
async def test_several_processes_may_start_at_once(database_url: str, tmp_path: Path) -> None:
    opened: list[int] = []

    async def start() -> None:
        async with open_database(database_url, tmp_path) as database:
            opened.extend(count for (count,) in await database.read(rows, "SELECT count(*) FROM migrations"))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(start)
    assert opened == [len(migrations("sqlite"))] * 4


@pytest.mark.usefixtures("patient")
async def test_a_new_file_that_another_process_holds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def sleep(seconds: float) -> None:
        refused.set()
        time.sleep(seconds)

    monkeypatch.setattr("wagate.storage.backend.sqlite.time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    other = sqlite3.connect(tmp_path / "wagate.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE held (id INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    async with trio.open_nursery() as nursery:

        async def let_go() -> None:
            assert await trio.to_thread.run_sync(refused.wait, 60, abandon_on_cancel=True)
            other.close()

        nursery.start_soon(let_go)
        async with open_database("", tmp_path) as database:
            assert await database.read(rows, "SELECT count(*) FROM migrations") == [(len(migrations("sqlite")),)]


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    async with open_database(database_url, tmp_path) as database:
        await database.write(undo_all)
    with pytest.raises(StorageError, match="revision"):
        async with open_database(database_url, tmp_path):
            pass


def undo_all(db: Any) -> None:
    """Back to nothing, but for one table that is in the way of the last statements of the first migration."""
    run(db, "DROP TABLE migrations")
    for view in ("jobs", "whatsapp_webhooks", "whatsapp_webhook_events"):
        run(db, f"DROP VIEW {view}")
    for table in models.Table.__subclasses__():
        if table is not models.Revision:
            run(db, f"DROP TABLE {table._meta.table_name}" + ("" if db.param == "?" else " CASCADE"))


@pytest.mark.parametrize("table", models.Table.__subclasses__(), ids=lambda table: table.__name__)
async def test_each_model_has_the_columns_of_its_table(database: Database, table: type[models.Table]) -> None:
    if database.dialect == "sqlite":
        text = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
    else:
        text = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position"
    columns = [name for (name,) in await database.read(rows, text, (table._meta.table_name,))]
    assert [field.column_name for field in table._meta.sorted_fields] == columns


async def jobs_in_all_states(database: Database) -> list[str]:
    await database.write(ensure_default_client, now=NOW)
    statuses = ["pending", "delivering", "delivered", "failed", "expired"]
    items = [intake(routes=(route("n8n:1", mode="pull"), route()), contact_name="John Doe") for _ in statuses]
    await database.write(store, items)
    for item, status in zip(items, statuses, strict=True):
        text = "UPDATE deliveries SET status = ? WHERE id = ?"
        await database.write(run, text, (status, item.routes[0].delivery_id))
    return [item.routes[0].delivery_id for item in items]


async def test_the_specified_query_of_job_states_works(database: Database) -> None:
    await jobs_in_all_states(database)
    found = await database.read(rows, "SELECT status, COUNT(*) FROM jobs GROUP BY status;")
    assert dict(found) == {"queued": 1, "processing": 1, "completed": 1, "failed": 1, "expired": 1}


async def test_the_specified_query_of_recent_jobs_works(database: Database) -> None:
    ids = await jobs_in_all_states(database)
    found = await database.read(rows, "SELECT * FROM jobs ORDER BY created_at DESC LIMIT 10;")
    assert {row[0] for row in found} == set(ids)
    job, payload, _, created_at, updated_at = found[0]
    assert isinstance(job, str)
    assert as_time(created_at) == as_time(updated_at) == NOW
    payload = msgspec.json.decode(payload) if isinstance(payload, str) else payload
    assert payload | {"timestamp": 0} == {
        "from": "5511999999999",
        "to": "5511888888888",
        "message": "Hello",
        "message_id": "wamid.1",
        "tenant_id": "default",
        "contact_name": "John Doe",
        "type": "text",
        "timestamp": 0,
    }


WEBHOOK_COLUMNS = (
    "id, client_id, phone_number, webhook_url, is_active, status, failure_count, max_retries, last_error, "
    "last_success_at, last_attempt_at, metadata, created_at, updated_at"
)
EVENT_COLUMNS = (
    'id, webhook_id, message_id, "from", "to", message_type, content, payload, status, attempt_count, http_status, '
    "response, error, next_retry_at, created_at, delivered_at"
)


async def test_the_specified_tables_of_webhooks_are_views(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    new = NewWebhook(client_id=1, phone_number="*", webhook_url="https://x", max_retries=3, events=["*"])
    made = await database.write(create_webhook, "webhook", new, now=NOW)
    await database.write(create_webhook, "other", new, now=NOW)
    item = intake(routes=(route(f"webhook:{made.id}"), route("n8n:1")))
    await database.write_bulk(store, item)
    (found,) = await database.read(rows, f"SELECT {WEBHOOK_COLUMNS} FROM whatsapp_webhooks")
    assert found[:4] == (made.id, 1, "*", "https://x")
    assert (bool(found[4]), *found[5:9]) == (True, "active", 0, 3, None)
    (found,) = await database.read(rows, f"SELECT {EVENT_COLUMNS} FROM whatsapp_webhook_events")
    assert found[:5] == (item.routes[0].delivery_id, made.id, "wamid.1", "5511999999999", "5511888888888")
    assert found[8:10] == ("pending", 0)


def test_time_text_sorts_as_time_does() -> None:
    moments = [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, 0, 0, 0, 5, tzinfo=UTC), NOW]
    texts = [time_text(moment) for moment in moments]
    assert texts == sorted(texts)
    assert texts[0] == "2025-01-01T00:00:00.000000+00:00"
    assert [as_time(text) for text in texts] == moments
