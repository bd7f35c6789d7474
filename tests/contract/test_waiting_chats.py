"""The chats in which something waits, and a delivery's place in its chat: of one client, and by an index."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.rows import NOW, intake, route
from wagate.rules.filters import LEAVING, WAITING, DeliveryFilter
from wagate.storage.database import Database
from wagate.storage.deliveries import chats as module
from wagate.storage.deliveries.by_hand import skip
from wagate.storage.deliveries.chats import Order, WaitingChats, place_of, waiting_chats
from wagate.storage.events.intake import store
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run

TARGET = DeliveryFilter(handler="webhook", target="w1", status=WAITING)
COME = ("a", "b", "b", "c", "b", "a")
"""Chats in which a message came, minute by minute."""


def fill(db: Any) -> None:
    ensure_default_client(db, now=NOW)
    for minute, chat in enumerate(COME):
        at = NOW + timedelta(minutes=minute)
        both = (route("webhook:w1", chat), route("webhook:w2", chat))
        store(db, [intake(chat=chat, routes=both, created_at=at)])
    store(db, [intake(chat="sent", routes=(route("outbound:n1", "sent"),), created_at=NOW)])
    run(db, "UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE chat = 'c'")


async def found(
    database: Database, by: Order = "most", *, client_id: int | None = None, which: DeliveryFilter = TARGET
) -> WaitingChats:
    return await database.browse(waiting_chats, which, client_id=client_id, by=by, most=2)


async def test_those_with_the_most_or_the_oldest_come_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(fill)
    most, oldest = await found(database), await found(database, "oldest", client_id=1)
    assert [(each.chat, each.account, each.waiting) for each in most.shown] == [("b", "main", 3), ("a", "main", 2)]
    assert [(each.chat, each.oldest_at) for each in oldest.shown] == [("a", NOW), ("b", NOW + timedelta(minutes=1))]
    assert (most.chats, most.looked) == (2, 5)
    assert await found(database, client_id=2) == WaitingChats()
    leaving = await found(database, which=DeliveryFilter(handler="outbound", target="n1", status=LEAVING))
    assert [each.chat for each in leaving.shown] == ["sent"]
    monkeypatch.setattr(module, "LOOKED", 2)
    some = await found(database)
    assert ([(each.chat, each.waiting) for each in some.shown], some.looked) == ([("a", 1), ("b", 1)], 2)


async def test_a_place_counts_those_of_the_same_chat_and_receiver_that_still_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(fill)
    text = "SELECT id FROM deliveries WHERE target_id = 'webhook:w1' AND chat = ? ORDER BY id"
    first, second, third = [id_ for (id_,) in await database.read(rows, text, ("b",))]

    async def place(id_: str, client_id: int | None = 1) -> tuple[Any, ...] | None:
        at = await database.browse(place_of, id_, client_id=client_id)
        return None if at is None else (at.before, at.first, at.behind, at.next)

    assert [await place(each) for each in (first, second, third)] == [
        (0, "", 2, second),
        (1, first, 1, third),
        (2, first, 0, ""),
    ]
    at = await database.browse(place_of, third, client_id=None)
    assert at is not None
    assert at.first_at == NOW + timedelta(minutes=1)
    assert (await place(third, 2), await place("none of ours")) == (None, None)
    await database.write(skip, first, now=NOW)
    assert await place(first) == (2, second, 0, "")
    await database.write(run, "UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE id = ?", (second,))
    assert (await place(second), await place(first)) == (None, (1, third, 0, ""))
    monkeypatch.setattr(module, "MOST", 0)
    assert (await place(first)) == (1, third, 0, "")


def crowd(db: Any) -> None:
    """Many that are delivered, many of others that wait."""
    ensure_default_client(db, now=NOW)
    each = [intake(routes=(route("webhook:w1", str(n)), route("webhook:w2", "1")), chat=str(n)) for n in range(1000)]
    store(db, each)
    run(db, "UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE target_id = 'webhook:w1' AND chat > '2'")
    if db.param != "?":  # SQLite is used without figures of its own
        run(db, "ANALYZE deliveries")


async def test_both_are_found_by_an_index_however_much_is_stored(database: Database) -> None:
    await database.write(crowd)
    [(waits,)] = await database.read(
        rows, "SELECT MIN(id) FROM deliveries WHERE settled = FALSE AND target_id = 'webhook:w2'"
    )
    plans = await database.read(_plans, waits)
    for plan, index in zip(plans, ("deliveries_waiting", "", "deliveries_open", "deliveries_open"), strict=True):
        assert index in plan, plan
        assert ("Seq Scan" in plan, "SCAN deliveries" in plan) == (False, False), plan


def _plans(db: Any, waits: str) -> list[str]:
    plans: list[str] = []
    execute = db.execute_sql

    def explained(text: str, params: Any = None, *others: Any) -> Any:
        prefix = "EXPLAIN QUERY PLAN " if db.param == "?" else "EXPLAIN "
        plans.append("\n".join(str(row[-1]) for row in execute(prefix + text, params).fetchall()))
        return execute(text, params, *others)

    if db.param != "?":
        for kind in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
            execute(f"SET LOCAL {kind} = off")  # a test's tables are so small that it would read and sort them whole
    db.execute_sql = explained
    try:
        waiting_chats(db, TARGET, client_id=1, by="most", most=8)
        place_of(db, waits, client_id=1)
    finally:
        del db.execute_sql
    return plans
