"""Trouble: full, locked, damaged, unreachable, lost in the middle; and several processes on one PostgreSQL."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from tests.rows import intake
from wagate.errors import ConfigError, StorageError
from wagate.storage.database import Database, open_database
from wagate.storage.events.intake import Stored, store
from wagate.storage.statement import rows, run

ROOT = Path(__file__).parent.parent.parent


def put(db: Any, key: str) -> str:
    run(db, "INSERT INTO lanes (key, seq) VALUES (?, 1)", (key,))
    return key


@pytest.fixture
async def sqlite(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def postgres(postgres_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(postgres_url, tmp_path) as opened:
        yield opened


async def test_a_full_disk_is_said_plainly_and_survived(sqlite: Database) -> None:
    ((pages,),) = await sqlite.read(rows, "PRAGMA page_count")
    for fn, argument in ((store, [intake(content="x" * 100_000)]), (put, "x" * 100_000)):
        # Set for each: the connection is a new one after the transaction was given up.
        await sqlite.write(rows, f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="the disk is full"):
            await sqlite.write(fn, argument)
    assert await sqlite.read(rows, "SELECT count(*) FROM events") == [(0,)]
    await sqlite.write(rows, f"PRAGMA max_page_count = {pages + 1000}")
    assert isinstance(await sqlite.write_bulk(store, intake(content="x" * 100_000)), Stored)


async def test_a_locked_file_is_said_plainly_and_survived(sqlite: Database, tmp_path: Path) -> None:
    await sqlite.write(rows, "PRAGMA busy_timeout = 20")
    other = sqlite3.connect(tmp_path / "wagate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked by another process"):
        await sqlite.write(put, "a")
    assert await sqlite.read(rows, "SELECT count(*) FROM lanes") == [(0,)]
    other.execute("ROLLBACK")
    other.close()
    assert await sqlite.write(put, "a") == "a"


async def test_a_file_that_is_no_database_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "wagate.db").write_bytes(b"not a database, and long enough to be read as one" * 100)
    with pytest.raises(StorageError, match=r"wagate\.db: the file is not a SQLite database"):
        async with open_database("", tmp_path):
            pass


async def test_a_folder_that_is_missing_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be opened"):
        async with open_database("", tmp_path / "nowhere"):
            pass


async def test_every_sqlite_commit_is_synced(sqlite: Database) -> None:
    found = [await sqlite.write(rows, f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == [[("wal",)], [(2,)], [(1,)]]


async def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"PostgreSQL 127\.0\.0\.1/wagate: can't be reached") as caught:
        async with open_database("postgresql://me:hunter2@127.0.0.1:1/wagate", tmp_path):
            pass
    assert "hunter2" not in str(caught.value)


async def test_a_url_that_cannot_be_read_is_refused_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        async with open_database("postgresql://me:hunter2@host:port:port/x?y", tmp_path):
            pass
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def cut(url: str) -> None:
    """End all other connections to this database, as a restart of the server would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_lost_connection_is_made_anew(postgres: Database, postgres_url: str) -> None:
    await postgres.write(put, "a")
    assert await postgres.read(rows, "SELECT key FROM lanes") == [("a",)]
    cut(postgres_url)
    assert await postgres.write(put, "b") == "b"
    assert sorted(await postgres.read(rows, "SELECT key FROM lanes")) == [("a",), ("b",)]


async def test_a_connection_lost_in_the_middle_runs_the_batch_again(postgres: Database) -> None:
    runs: list[int] = []

    def lose(db: Any) -> int:
        put(db, "a")
        runs.append(1)
        if len(runs) == 1:
            rows(db, "SELECT pg_terminate_backend(pg_backend_pid())")
        return len(runs)

    assert await postgres.write(lose) == 2
    assert await postgres.read(rows, "SELECT key FROM lanes") == [("a",)]


async def test_while_the_server_refuses_every_call_fails_and_then_works_again(
    postgres: Database, postgres_url: str, postgres_server: str
) -> None:
    name = postgres_url.rpartition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        for _ in range(2):
            with pytest.raises(StorageError):
                await postgres.write(put, "a")
            with pytest.raises(StorageError):
                await postgres.read(rows, "SELECT 1")
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert await postgres.write(put, "a") == "a"
    assert await postgres.read(rows, "SELECT 1") == [(1,)]


async def test_a_row_that_breaks_a_rule_is_not_shown_in_the_error(postgres: Database) -> None:
    await postgres.write(put, "secret-key")
    with pytest.raises(StorageError) as caught:
        await postgres.write(put, "secret-key")
    assert "secret-key" not in str(caught.value)


async def test_a_deadlock_runs_again_until_both_are_done(postgres: Database, postgres_url: str, tmp_path: Path) -> None:
    for key in ("a", "b"):
        await postgres.write(put, key)
    meet, met = threading.Barrier(2), set()

    def add(db: Any, first: str, second: str) -> None:
        run(db, "UPDATE lanes SET seq = seq + 1 WHERE key = ?", (first,))
        if first not in met:  # not when it is run again, whoever gets the lock first then
            met.add(first)
            meet.wait(60)
        run(db, "UPDATE lanes SET seq = seq + 1 WHERE key = ?", (second,))

    async with open_database(postgres_url, tmp_path) as other, trio.open_nursery() as nursery:
        nursery.start_soon(postgres.write, add, "a", "b")
        nursery.start_soon(other.write, add, "b", "a")
    assert await postgres.read(rows, "SELECT seq FROM lanes") == [(3,), (3,)]


async def test_a_key_seen_on_two_connections_at_once_is_stored_once(
    postgres: Database, postgres_url: str, tmp_path: Path
) -> None:
    answers: dict[str, set[str]] = {}
    fresh: list[str] = []

    async def take(database: Database, key: str) -> None:
        stored = await database.write_bulk(store, intake(key))
        answers.setdefault(key, set()).add(stored.event_id)
        if not stored.duplicate:
            fresh.append(key)

    async with open_database(postgres_url, tmp_path) as other, trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(take, postgres, f"k{number}")
            nursery.start_soon(take, other, f"k{199 - number}")
    assert sorted(fresh) == sorted(answers)
    assert {len(ids) for ids in answers.values()} == {1}
    assert await postgres.read(rows, "SELECT count(*) FROM events") == [(200,)]


async def test_two_processes_never_give_a_chat_the_same_seq(postgres: Database, postgres_url: str) -> None:
    command = [sys.executable, "-m", "tests.storing", postgres_url, "25", "5"]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        assert [process.wait(120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    found = await postgres.read(rows, "SELECT key, seq FROM deliveries ORDER BY key, seq")
    assert len({key for key, _ in found}) == 5
    for key in {key for key, _ in found}:
        assert [seq for each, seq in found if each == key] == list(range(1, 81))
