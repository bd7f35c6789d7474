"""Counting what waits costs as much as waits, not as much as is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rows import NOW, intake, route
from wagate.clock import Clock
from wagate.inbound import position
from wagate.storage.database import Database
from wagate.storage.deliveries import jobs as pull
from wagate.storage.events.intake import store
from wagate.storage.fields import as_time
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run

STORED, OPEN = 2000, 5


def fill(db: Any) -> None:
    """Many jobs that are done, few that wait, and as many deliveries to a webhook."""
    ensure_default_client(db, now=NOW)
    routes = [(route("n8n:1", mode="pull"), route()) for _ in range(STORED)]
    store(db, [intake(routes=each, chat=f"{number}@c.us") for number, each in enumerate(routes)])
    chats = [f"{number}@c.us" for number in range(OPEN)]
    marks = ", ".join("?" for _ in chats)
    run(db, f"UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE chat NOT IN ({marks})", chats)
    if db.param != "?":  # SQLite is used without figures of its own
        run(db, "ANALYZE deliveries")


async def test_counts_are_right_and_read_only_what_is_open(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await database.write(fill)
    plans: list[str] = []

    def explained(db: Any, text: str, params: Any = ()) -> list[tuple[Any, ...]]:
        prefix = "EXPLAIN QUERY PLAN " if db.param == "?" else "EXPLAIN "
        plans.append("\n".join(str(row[-1]) for row in rows(db, prefix + text, params)))
        return rows(db, text, params)

    for module in (pull, position):
        monkeypatch.setattr(module, "rows", explained)
    waiting = await database.read(position.count_waiting)
    assert waiting.events == {(1, "pull"): OPEN, (1, "push"): OPEN}
    assert waiting.deliveries == 2 * OPEN
    assert {name: each.waiting for name, each in waiting.owed.items()} == {"n8n": OPEN, "webhook": OPEN}
    [(oldest,)] = await database.read(rows, "SELECT MIN(created_at) FROM deliveries WHERE settled = FALSE")
    assert min(each.oldest for each in waiting.owed.values()) == as_time(oldest)
    assert await database.read(pull.waiting, ["n8n:1"], NOW) == OPEN
    for plan, index in zip(plans, ("deliveries_client_state", "deliveries_waiting", "deliveries_waiting"), strict=True):
        assert (index in plan) if database.dialect == "sqlite" else ("Index" in plan and "Seq Scan" not in plan)


async def test_no_answer_waits_for_a_count(database: Database) -> None:
    await database.write(fill)
    positions = position.Positions(database, Clock())
    assert positions.of(1, added=1, pull=True)[0] == 1, "before the first count"
    await positions.count()
    assert positions.deliveries == 2 * OPEN
    assert [positions.of(1, added=each, pull=True)[0] for each in (0, 1, 1)] == [OPEN, OPEN + 1, OPEN + 2]
    assert positions.of(2, added=1, pull=False)[0] == 1, "others count for themselves"
    await positions.count()
    assert positions.of(1, added=0, pull=True)[0] == OPEN, "the table knows"
