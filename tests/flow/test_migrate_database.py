"""From SQLite to PostgreSQL: every row comes over, and a gateway goes on where the other one stopped."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from typer.testing import CliRunner, Result

from tests.gateway import GatewayProcess, gateway, register, toml
from tests.sink import https_sink
from wagate.cli import app
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.upkeep import copies as copying

MESSAGES = 60
DOWN = (500, {"retry-after": "600"})


@pytest.fixture
def has_tables() -> bool:
    """The target must be empty."""
    return False


async def run(server: GatewayProcess, *arguments: str, **environment: str) -> Result:
    call = partial(CliRunner().invoke, app, ["--config", str(server.config), *arguments], env=environment)
    return await trio.to_thread.run_sync(call)


async def fill(server: GatewayProcess) -> None:
    """Something in many tables, with what the two databases hold differently: truth values, times, bytes, JSON."""
    ask = server.http
    for slug in ("acme", "gone"):
        assert (await ask.post("/api/clients", json={"slug": slug})).status_code == 201
    assert (await ask.delete("/api/clients/gone")).is_success
    account = {"name": "main", "provider": "session", "webhook_secret": "s" * 20, "metadata": {"a": [1, None, "é"]}}
    made = await ask.post("/api/accounts", json=account)
    assert made.status_code == 201, made.text
    made = await ask.post("/api/media", content=b"\x89PNG\r\n\x1a\n\0", headers={"content-type": "image/png"})
    assert made.is_success, made.text
    for number in range(MESSAGES):
        body = {"from": f"+55119{number % 5:08}", "to": "+5511888888888", "message": {"text": f"Olá {number} \u2603\0"}}
        key = {"Idempotency-Key": f"k{number}"}
        more = {"message_id": f"m{number}", "tenant_id": "default"}
        assert (await ask.post("/webhook/inbound", json=body | more, headers=key)).status_code == 202


def contents(path: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """Table → its rows, of SQLite."""
    with closing(sqlite3.connect(path)) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        ours = [name for name in names if not name.startswith("sqlite_") and name != "migrations"]
        return {name: Counter(map(tuple, opened.execute(f"SELECT * FROM {name}"))) for name in ours}


def copied(url: str, path: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """The same of PostgreSQL, as SQLite would say it."""
    found = {}
    with psycopg.connect(url) as there, closing(sqlite3.connect(path)) as opened:
        for name in contents(path):
            columns = ", ".join(f'"{row[1]}"' for row in opened.execute(f"PRAGMA table_info({name})"))
            rows = there.execute(f"SELECT {columns} FROM {name}").fetchall()
            found[name] = Counter(tuple(map(plain, row)) for row in rows)
    return found


def plain(value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case datetime():
            return value.isoformat(timespec="microseconds")
    return value


async def test_all_rows_come_over_and_the_gateway_goes_on(postgres_url: str) -> None:
    async with https_sink() as sink, gateway(ca_file=sink.ca_file) as server:
        sink.script = lambda _: DOWN
        await register(server, sink.url)
        await fill(server)
        running = await run(server, "migrate-database", postgres_url)
        assert running.exit_code == 1
        assert "wagate runs there as process" in running.stderr
        assert await server.stop() == 0

        path = server.folder / "data/wagate.db"
        before = contents(path)
        filled = {name for name, rows in before.items() if rows}
        assert filled >= {"clients", "accounts", "events", "media", "deliveries", "attempts", "idempotency", "revision"}
        result = await run(server, "migrate-database", "env:TARGET", TARGET=postgres_url)
        assert result.exit_code == 0, result.output
        assert "counted on both sides" in result.stderr
        assert contents(path) == before
        assert copied(postgres_url, path) == before

        again = await run(server, "migrate-database", postgres_url)
        assert (again.exit_code, contents(path) == before) == (1, True)
        assert "is not empty (it has accounts, attempts, audit …); nothing was copied" in again.stderr

        sink.script = lambda _: 200
        server.config.write_text(toml(server.port, {"database": {"url": postgres_url}}))
        await server.start()
        made = (await server.http.post("/api/clients", json={"slug": "new"})).json()
        assert made["id"] > 3  # "gone" had that one.
        await try_heads(server)
        await sink.until_accepted(MESSAGES)
        assert Counter(got.json["message_id"] for got in sink.accepted) == {f"m{n}": 1 for n in range(MESSAGES)}
        assert "names PostgreSQL already" in (await run(server, "migrate-database", postgres_url)).stderr


async def try_heads(server: GatewayProcess) -> None:
    query = {"status": "pending", "connector": "webhook", "limit": "200"}
    rows = (await server.http.get("/api/jobs", params=query)).json()["data"]
    for each in rows:
        if each["attempt_count"]:
            await server.http.post(f"/api/jobs/{each['id']}/retry")


async def test_a_copy_that_breaks_off_leaves_the_target_empty(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(start=False) as server:
        assert (await run(server, "migrate-database", postgres_url)).stderr.endswith("there is no database yet\n")
        assert (await run(server, "client", "add", "acme")).exit_code == 0
        real = copying.insert_many

        def loses_one(db: Any, head: str, params: Any) -> None:
            real(db, head, params[1:] if "clients" in head else params)

        with monkeypatch.context() as patched:
            patched.setattr(copying, "insert_many", loses_one)
            broken = await run(server, "migrate-database", postgres_url)
        assert broken.exit_code == 1
        with psycopg.connect(postgres_url) as there:
            assert there.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchall() == [(0,)]
        assert (await run(server, "migrate-database", postgres_url)).exit_code == 0


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:///x", "env:NOT_SET", ""])
async def test_only_postgresql_is_a_target(url: str) -> None:
    async with gateway(start=False) as server:
        assert (await run(server, "client", "add", "acme")).exit_code == 0
        assert (await run(server, "migrate-database", url)).exit_code == 1
        assert Sqlite(server.folder / "data/wagate.db").path.exists()
