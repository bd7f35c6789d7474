"""Lists and deliveries don't wait for each other, and no list reads more than it shows."""

from __future__ import annotations

import itertools
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import peewee
import pytest
import trio
import trio.testing

from tests.rows import NOW, intake, route
from wagate.errors import StorageError, TooSlowError
from wagate.rules.filters import DeliveryFilter, MessageFilter
from wagate.storage import database as module
from wagate.storage.audit import list_acts
from wagate.storage.backend import sqlite as backend
from wagate.storage.database import Database, open_database
from wagate.storage.events.intake import store
from wagate.storage.events.listing import count_up_to, list_deliveries, matching
from wagate.storage.outbox.messages import list_messages
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run
from wagate.storage.threads.conversations import list_threads

DELIVERIES: list[tuple[dict[str, Any], str]] = [
    ({}, "sqlite_autoindex_deliveries_1"),
    ({"client_id": 1}, "deliveries_client"),
    ({"status": "failed"}, "deliveries_state"),
    ({"status": "pending"}, "deliveries_state"),
    ({"status": "cancelled", "client_id": 1}, "deliveries_client_state"),
    ({"chat": "7@c.us"}, "deliveries_chat"),
    ({"chat": "7@c.us", "client_id": 1, "status": "failed", "handler": "webhook"}, "deliveries_chat"),
    ({"account": "main", "client_id": 1}, "deliveries_account"),
    ({"handler": "webhook"}, "deliveries_handler"),
    ({"handler": "webhook", "client_id": 1}, "deliveries_client_handler"),
    ({"message_id": "wamid.7"}, "events_bare"),
    ({"handler": "webhook", "target": "w1", "status": "failed"}, "deliveries_failed"),
    ({"handler": "webhook", "target": "w1", "status": "delivered"}, "deliveries_target"),
    *(
        (which | {"status": status}, index)
        for status, handler in (("waiting", "webhook"), ("leaving", "outbound"))
        for which, index in (
            ({}, "deliveries_open_list"),
            ({"client_id": 1}, "deliveries_open_list"),
            ({"account": "main", "handler": handler}, "deliveries_open_list"),
            ({"handler": handler, "target": "w1", "client_id": 1}, "deliveries_waiting"),
            ({"handler": handler, "target": "w1", "chat": "7@c.us", "account": "main"}, "deliveries_chat"),
        )
    ),
]
MESSAGES = [
    ({"client_id": 1}, "messages_client"),
    ({"client_id": 1, "status": "sent"}, "messages_status"),
    ({"status": "failed"}, "messages_unsent"),
    ({"chat": "7@c.us", "client_id": 1}, "messages_chat"),
    ({"account": "main", "client_id": 1}, "messages_account"),
    ({"message_id": "wamid.7"}, "messages_bare"),
]
ACTS = [
    ({"who": "admin"}, "audit_who"),
    ({"about": "webhook:w1"}, "audit_object"),
    ({"client_id": 1}, "audit_client"),
    ({}, "sqlite_autoindex_audit_1"),
]
BEHIND = (NOW, "0190")
"""What the page before ended with."""
THREADS: list[tuple[dict[str, Any], str]] = [
    ({}, "chats_newest"),
    ({"client_id": 1}, "chats_"),
    ({"client_id": 1, "account": "main"}, "chats_"),
    ({"before": BEHIND}, "chats_newest (last_at<?)"),
    ({"client_id": 1, "account": "main", "before": BEHIND}, "last_at<?)"),
]


def threads(db: Any, which: dict[str, Any], *, client_id: int | None, limit: int) -> None:
    list_threads(db, **which, client_id=client_id, limit=limit)


def acts(db: Any, which: dict[str, Any], *, client_id: int | None, limit: int) -> None:
    list_acts(db, **which, client_id=client_id, limit=limit)


COUNTED: list[tuple[dict[str, Any], str]] = [
    ({"status": "waiting"}, "deliveries_open_list"),
    ({"status": "waiting", "client_id": 1}, "deliveries_open_list"),
    ({"handler": "webhook", "target": "w1"}, "deliveries_target"),
    ({"handler": "webhook", "target": "w1", "client_id": 1}, "deliveries_target"),
]
"""What is counted by an index alone, as the deliveries of one receiver were not: their rows took 80 ms to look up."""


def fill(db: Any) -> None:
    ensure_default_client(db, now=NOW)
    each = [intake(routes=(route(),), chat=f"{n % 50}@c.us", message_id=f"wamid.{n}") for n in range(1000)]
    store(db, each)
    run(db, "UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE chat <> '7@c.us'")


def analyze(db: Any) -> None:
    run(db, "ANALYZE")


def plan_of(db: Any, listed: Any, kind: Any, which: dict[str, Any]) -> str:
    """How the database would find the page."""
    filters = kind(**{name: value for name, value in which.items() if name != "client_id"})
    texts: list[tuple[str, Any]] = []
    execute = db.execute_sql

    def noted(text: str, params: Any = None, *others: Any) -> Any:
        texts.append((text, params))
        return execute(text, params, *others)

    db.execute_sql = noted
    try:
        listed(db, filters, client_id=which.get("client_id"), limit=50)
    finally:
        del db.execute_sql
    text, params = next(each for each in texts if each[0].startswith("SELECT"))
    return "\n".join(
        str(row[-1])
        for row in execute(("EXPLAIN QUERY PLAN " if db.param == "?" else "EXPLAIN ") + text, params).fetchall()
    )


@pytest.mark.parametrize("analyzed", [True, False])
async def test_every_list_is_led_by_an_index_that_is_in_its_order(sqlite: Database, analyzed: bool) -> None:
    """With figures of SQLite's, and without, as it is used: then the newest of indexes that are alike counts.

    PostgreSQL plans by the figures that it keeps itself.
    """
    database = sqlite
    await database.write(fill)
    if analyzed:
        await database.write(analyze)
    lists: list[tuple[Any, Any, Any, str]] = [(list_deliveries, DeliveryFilter, *each) for each in DELIVERIES]
    lists += [(list_messages, MessageFilter, *each) for each in MESSAGES]
    lists += [(threads, lambda **given: given, *each) for each in THREADS]
    lists += [(acts, dict, *each) for each in ACTS]
    for listed, kind, which, index in lists:
        plan = await database.browse(plan_of, listed, kind, which)
        assert index in plan, (which, plan)
        few = index in {"events_bare", "messages_bare"}
        plan = plan.replace("TEMP B-TREE FOR RIGHT PART", "")  # of what is of one moment alone
        assert few or "TEMP B-TREE" not in plan, (which, plan)


def counted(db: Any, which: DeliveryFilter, *, client_id: int | None, limit: int) -> None:
    count_up_to(db, matching(which, client_id), limit)


@pytest.mark.parametrize("analyzed", [True, False])
async def test_what_a_page_counts_is_counted_by_an_index_alone(sqlite: Database, analyzed: bool) -> None:
    await sqlite.write(fill)
    if analyzed:
        await sqlite.write(analyze)
    for which, index in COUNTED:
        plan = await sqlite.browse(plan_of, counted, DeliveryFilter, which)
        assert f"COVERING INDEX {index}" in plan, (which, plan)
        assert "TEMP B-TREE" not in plan, (which, plan)


async def test_postgres_has_an_index_in_the_order_of_what_waits(database: Database) -> None:
    """And with it, no sort; SQLite's plans are above."""
    await database.write(fill)
    for which, index in DELIVERIES:
        if database.dialect == "postgres" and which.get("status") in {"waiting", "leaving"}:
            plan = await database.read(unsorted, which)
            assert index in plan, (which, plan)
            assert "Sort" not in plan, (which, plan)


def unsorted(db: Any, which: dict[str, Any]) -> str:
    for kind in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        db.execute_sql(f"SET LOCAL {kind} = off")  # a test's tables are so small that it reads and sorts them whole
    return plan_of(db, list_deliveries, DeliveryFilter, which)


async def test_a_delivery_does_not_wait_for_slow_lists(database: Database) -> None:
    go_on = threading.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(database.browse, lambda _db: go_on.wait(240))
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(120):
            assert await database.read(rows, "SELECT 1") == [(1,)]
        go_on.set()


async def test_one_clients_slow_lists_leave_a_reader_to_the_others(database: Database) -> None:
    go_on = threading.Event()

    def slow(_db: Any, *, client_id: int) -> bool:
        return go_on.wait(240) and client_id == 1

    def quick(db: Any, *, client_id: int) -> Any:
        return rows(db, "SELECT 1"), client_id

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(partial(database.browse, slow, client_id=1))
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(120):
            assert await database.browse(quick, client_id=2) == ([(1,)], 2)
            assert await database.browse(rows, "SELECT 1") == [(1,)]
        go_on.set()


async def test_a_list_that_takes_too_long_fails_alone(
    database_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_SECONDS", 0.2)
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"

    def slow(db: peewee.Database) -> object:
        return rows(db, f"{count} SELECT max(i) FROM n")

    async with open_database(database_url, tmp_path) as database:
        with pytest.raises(TooSlowError, match="took too long"):
            await database.browse(slow)
        assert await database.browse(rows, "SELECT 2") == [(2,)], "the connection is as good as new"


async def test_a_list_may_take_two_seconds(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL says what it obeys; SQLite has a clock that only its looks at it move, by a tenth of a second."""
    if database.dialect == "postgres":
        assert await database.browse(rows, "SHOW statement_timeout") == [("2s",)]
        assert await database.read(rows, "SHOW statement_timeout") == [("30s",)], "a look-up for messages has longer"
        return
    await database.browse(rows, "SELECT 1")  # opens the connection, for which there is a clock, too
    looks = itertools.count()
    monkeypatch.setattr(backend, "time", SimpleNamespace(monotonic=lambda: next(looks) / 10))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(StorageError, match="interrupted"):
        await database.browse(rows, endless)
    assert next(looks) == 22, "one that sets it, twenty within it, and the one after"
