"""Group commit: one commit for all that waits, and what a failure costs, on both databases."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import outcome
import peewee
import pytest
import trio
import trio.testing

from tests.rows import intake
from wagate.errors import StorageError
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.backend.writer import Work, Writer
from wagate.storage.database import Database, bulk, open_database
from wagate.storage.events.intake import store
from wagate.storage.statement import rows, run

ROOT = Path(__file__).parent.parent.parent


def put(db: Any, key: str) -> str:
    run(db, "INSERT INTO lanes (key, seq) VALUES (?, 1)", (key,))
    return key


def fail(db: Any, key: str) -> None:
    put(db, key)
    raise ValueError(key)


async def keys(database: Database) -> list[str]:
    return sorted(key for (key,) in await database.read(rows, "SELECT key FROM lanes"))


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """Keep the writer busy inside, so that all that is handed in meanwhile waits."""
    busy, go_on = threading.Event(), threading.Event()

    def hold(_db: object) -> None:
        busy.set()
        go_on.wait(60)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.write, hold)
        await trio.to_thread.run_sync(busy.wait)
        yield
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()


async def attempt(results: dict[str, object], key: str, call: Any, *args: Any) -> None:
    try:
        results[key] = await call(*args)
    except Exception as error:  # noqa: BLE001  (the error is the result)
        results[key] = error


async def test_all_that_waits_is_committed_once(database: Database) -> None:
    results: dict[str, object] = {}
    before = database.counts.commits
    async with trio.open_nursery() as nursery, held(database):
        for number in range(100):
            nursery.start_soon(attempt, results, f"k{number}", database.write, put, f"k{number}")
    assert results == {f"k{number}": f"k{number}" for number in range(100)}
    assert database.counts.commits - before == 2
    assert len(await keys(database)) == 100


async def test_a_failing_function_undoes_only_itself(database: Database) -> None:
    results: dict[str, object] = {}
    async with trio.open_nursery() as nursery, held(database):
        for key, fn in (("a", put), ("b", fail), ("c", put), ("d", put)):
            nursery.start_soon(attempt, results, key, database.write, fn, "a2" if key == "d" else key)
    assert [results[key] for key in "acd"] == ["a", "c", "a2"]
    assert isinstance(results["b"], ValueError)
    assert await keys(database) == ["a", "a2", "c"]


async def test_a_function_that_fails_by_itself_leaves_nothing_and_the_next_is_written(database: Database) -> None:
    error = StorageError("of its own")

    def refuse(db: Any, key: str) -> None:
        put(db, key)
        raise error

    with pytest.raises(ValueError, match="a"):
        await database.write(fail, "a")
    with pytest.raises(StorageError) as caught:
        await database.write(refuse, "a")
    assert caught.value is error
    await database.write(put, "b")
    with pytest.raises(StorageError, match="rule of its table"):
        await database.write(put, "b")
    await database.write(put, "c")
    assert await keys(database) == ["b", "c"]


async def test_what_passes_over_an_error_is_written_or_said_not_to_be(database: Database) -> None:
    def put_and_hide(db: Any, key: str) -> str:
        put(db, "c")
        with suppress(peewee.IntegrityError):
            put(db, key)
        return key

    await database.write(put, "a")
    results: dict[str, object] = {}
    await attempt(results, "c", database.write, put_and_hide, "a")
    assert (await keys(database) == ["a", "c"]) == (results["c"] == "a")
    assert results["c"] == "a" or isinstance(results["c"], StorageError)


async def test_a_broken_rule_of_a_table_undoes_only_its_own_call(database: Database) -> None:
    await database.write(put, "a")
    results: dict[str, object] = {}
    async with trio.open_nursery() as nursery, held(database):
        for name, key in (("first", "b"), ("again", "a"), ("last", "c")):
            nursery.start_soon(attempt, results, name, database.write, put, key)
    assert isinstance(results["again"], StorageError)
    assert (results["first"], results["last"]) == ("b", "c")
    assert await keys(database) == ["a", "b", "c"]


def make_commit_fail(db: Any) -> None:
    """Break a rule that is only checked at the commit."""
    if db.param == "?":
        run(db, "PRAGMA defer_foreign_keys = 1")
        run(db, "INSERT INTO attempts (delivery_id, number, started_at, duration_ms) VALUES ('none', 1, 'x', 1)")
    else:
        run(db, "CREATE TABLE late (id INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        run(db, "INSERT INTO late VALUES (1), (1)")


async def test_when_the_commit_fails_every_caller_learns_it(database: Database) -> None:
    results: dict[str, object] = {}
    async with trio.open_nursery() as nursery, held(database):
        nursery.start_soon(attempt, results, "bad", database.write, make_commit_fail)
        for key in ("a", "b", "c"):
            nursery.start_soon(attempt, results, key, database.write, put, key)
    assert [type(result) for result in results.values()] == [StorageError] * 4
    assert len({id(result) for result in results.values()}) == 4
    assert await keys(database) == []
    assert await database.write(put, "after") == "after"
    assert await keys(database) == ["after"]


async def test_items_of_one_bulk_function_are_one_call(database: Database) -> None:
    calls: list[list[int]] = []

    @bulk
    def double(_db: object, items: list[int]) -> list[int]:
        calls.append(items)
        return [item * 2 for item in items]

    results: dict[str, object] = {}
    async with trio.open_nursery() as nursery, held(database):
        for number in range(10):
            nursery.start_soon(attempt, results, str(number), database.write_bulk, double, number)
            nursery.start_soon(attempt, results, f"k{number}", database.write, put, f"k{number}")
    assert [results[str(number)] for number in range(10)] == [number * 2 for number in range(10)]
    assert [sorted(call) for call in calls] == [list(range(10))]


async def test_a_bad_item_of_a_bulk_call_costs_only_itself(database: Database) -> None:
    @bulk
    def put_all(db: Any, items: list[str]) -> list[str]:
        return [put(db, item) for item in items]

    await database.write(put, "taken")
    results: dict[str, object] = {}
    async with trio.open_nursery() as nursery, held(database):
        for key in ("a", "taken", "b"):
            nursery.start_soon(attempt, results, key, database.write_bulk, put_all, key)
    assert (results["a"], results["b"]) == ("a", "b")
    assert isinstance(results["taken"], StorageError)
    assert await keys(database) == ["a", "b", "taken"]


async def test_a_bulk_function_that_loses_a_result_is_an_error(database: Database) -> None:
    @bulk
    def short(_db: object, items: list[int]) -> list[int]:
        return items[1:]

    with pytest.raises(RuntimeError, match="0 results for 1 items"):
        await database.write_bulk(short, 1)


async def test_a_function_that_is_not_marked_bulk_is_refused(database: Database) -> None:
    def unmarked(_db: object, items: list[int]) -> list[int]:
        return items

    with pytest.raises(TypeError):
        await database.write_bulk(unmarked, 1)


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.read(put, "a")
    assert await keys(database) == []


async def test_a_cancelled_caller_leaves_the_write_to_its_end(database: Database) -> None:
    async with held(database):
        with trio.move_on_after(0):
            await database.write(put, "a")
    assert await database.write(put, "b") == "b"
    assert await keys(database) == ["a", "b"]


async def test_a_closed_database_says_so(database_url: str, tmp_path: Path) -> None:
    async with open_database(database_url, tmp_path) as database:
        pass
    with pytest.raises(StorageError, match="closed"):
        await database.write(put, "a")


async def test_what_was_answered_survives_kill_9(database_url: str, tmp_path: Path) -> None:
    async with open_database(database_url, tmp_path):
        pass
    command = [sys.executable, "-m", "tests.storing", database_url, "100000", "16"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline().strip() for _ in range(300)]
        process.send_signal(signal.SIGKILL)
        # What was still in the pipe was answered too; a line cut off by the kill was not printed whole.
        printed += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    async with open_database(database_url, tmp_path) as database:
        # Of one moment: the server may still be at a commit of the one that was killed.
        events, [(deliveries,)] = await database.read(
            lambda db: (rows(db, "SELECT id FROM events"), rows(db, "SELECT count(*) FROM deliveries"))
        )
        assert len(printed) >= 300
        assert set(printed) <= {event_id for (event_id,) in events}
        assert deliveries == len(events)


async def test_a_chat_counts_on_after_a_restart(database_url: str, tmp_path: Path) -> None:
    async with open_database(database_url, tmp_path) as database:
        await database.write(store, [intake(chat=f"{n % 3}@c.us") for n in range(9)])
    async with open_database(database_url, tmp_path) as database:
        await database.write_bulk(store, intake(chat="0@c.us"))
        found = await database.read(rows, "SELECT seq FROM deliveries WHERE chat = '0@c.us' ORDER BY seq")
        assert found == [(1,), (2,), (3,), (4,)]


def test_an_error_that_needs_no_translation_is_not_its_own_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(Sqlite(tmp_path / "wagate.db"))
    whole = writer.db.execute_sql

    def break_at_commit(sql: str, *args: Any) -> Any:
        if sql == "COMMIT":
            raise MemoryError
        return whole(sql, *args)

    monkeypatch.setattr(writer.db, "execute_sql", break_at_commit)
    [failed] = writer.run([Work(lambda db: None, ())])
    writer.close()
    assert isinstance(failed, outcome.Error)
    assert isinstance(failed.error, MemoryError)
    assert failed.error.__cause__ is None


def test_a_call_that_has_the_transaction_to_itself_needs_no_savepoint(tmp_path: Path) -> None:
    writer = Writer(Sqlite(tmp_path / "database.sqlite3"))
    said: list[str] = []
    writer.db.execute_sql("CREATE TABLE lanes (key TEXT PRIMARY KEY, seq INTEGER)")
    writer.db.connection().set_trace_callback(said.append)
    [one] = writer.run([Work(put, ("a",))])
    assert (one, len(said)) == (outcome.Value("a"), 3)
    said.clear()
    good, bad = writer.run([Work(put, ("b",)), Work(fail, ("c",))])
    assert (good, isinstance(bad, outcome.Error)) == (outcome.Value("b"), True)
    assert [text.split()[0] for text in said] == [
        "BEGIN", "SAVEPOINT", "INSERT", "RELEASE", "SAVEPOINT", "INSERT", "ROLLBACK", "RELEASE", "COMMIT"
    ]  # fmt: skip
    writer.close()
