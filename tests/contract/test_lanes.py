"""Heads of lanes and outcomes, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.rows import NOW, intake, route
from wagate.rules.states import Settled
from wagate.rules.targets import TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries.lanes import heads, open_lanes, text
from wagate.storage.deliveries.outcomes import Outcome, record
from wagate.storage.deliveries.targets import Owner, target_states
from wagate.storage.events.intake import Intake, store
from wagate.storage.statement import rows, run

KEY = "webhook:w1|main|{}@c.us"


ADD_CLIENT = (
    "INSERT INTO clients (id, slug, name, created_at, updated_at) "
    "VALUES (1, 'default', '', '2025-01-20T10:00:00+00:00', '2025-01-20T10:00:00+00:00') ON CONFLICT DO NOTHING"
)


async def stored(database: Database, *chats: str, target: str = "webhook:w1") -> list[str]:
    """One delivery for each chat; their ids."""
    await database.write(run, ADD_CLIENT)
    ids = []
    for chat in chats:
        done = await database.write_bulk(
            store, intake(routes=(route(target, chat=f"{chat}@c.us"),), chat=f"{chat}@c.us", content=chat)
        )
        ids.append(done.deliveries[0].delivery_id)
    return ids


def outcome(delivery_id: str, became: dict[str, Any], **fields: Any) -> Outcome:
    made: dict[str, Any] = {
        "delivery_id": delivery_id,
        "attempt_count": 0,
        "tried_before": True,
        "target_id": "webhook:w1",
        "owner": Owner("webhook", 1),
        "started_at": NOW,
        "duration_ms": 12,
        "now": NOW,
        "http_status": 200,
        "response": "ok",
        "error": None,
        "settle": lambda _target: Settled(**({"status": "delivered", "final": True, "target": TargetState()} | became)),
    }
    return Outcome(**(made | fields))


async def test_the_head_of_a_key_is_its_lowest_open_delivery(database: Database) -> None:
    first, second, other = await stored(database, "a", "a", "b")
    found = await database.read(heads, [KEY.format("a"), KEY.format("b"), KEY.format("none")])
    assert {key: (head.id, head.more) for key, head in found.items()} == {
        KEY.format("a"): (first, True),
        KEY.format("b"): (other, False),
    }
    assert found[KEY.format("a")].event.content == "a"
    assert found[KEY.format("a")].event.tenant == "default"
    assert found[KEY.format("a")].target == TargetState()
    assert found[KEY.format("a")].active
    await database.write_bulk(record, outcome(first, {}))
    found = await database.read(heads, [KEY.format("a")])
    assert (found[KEY.format("a")].id, found[KEY.format("a")].more) == (second, False)
    assert found[KEY.format("a")].created_at == NOW


async def test_with_skip_a_waiting_delivery_lets_others_pass(database: Database) -> None:
    first, second = await stored(database, "a", "a")
    due = NOW + timedelta(seconds=5)
    again = {"status": "pending", "final": False, "error": "Server error (503)", "next_retry_at": due}
    await database.write_bulk(record, outcome(first, again))
    strict = await database.read(heads, [KEY.format("a")])
    assert strict[KEY.format("a")].id == first
    assert strict[KEY.format("a")].next_retry_at == due
    skip = partial(heads, skip=True)
    assert (await database.read(partial(skip, now=NOW), [KEY.format("a")]))[KEY.format("a")].id == second
    assert (await database.read(partial(skip, now=due), [KEY.format("a")]))[KEY.format("a")].id == first
    await database.write_bulk(record, outcome(second, again | {"next_retry_at": due - timedelta(seconds=1)}))
    head = (await database.read(partial(skip, now=NOW), [KEY.format("a")]))[KEY.format("a")]
    assert (head.id, head.more) == (second, True)


async def test_open_lanes_come_in_slices(database: Database) -> None:
    await stored(database, "c", "a", "b", "a")
    found, after = [], ""
    while part := await database.read(open_lanes, after, 2):
        found += part
        after = part[-1].key
        assert len(part) <= 2
    assert [each.key for each in found] == [KEY.format(chat) for chat in "abc"]
    assert found[0].target_id == "webhook:w1"
    assert found[0].created_at == NOW


async def test_an_outcome_counts_once_and_never_over_a_later_one(database: Database) -> None:
    (first,) = await stored(database, "a")
    again = {"status": "pending", "final": False, "error": "Server error (503)"}
    assert await database.write_bulk(record, outcome(first, again, error="Server error (503)")) is not None
    # A zombie's outcome of the same try.
    assert await database.write_bulk(record, outcome(first, {})) is None
    assert await database.write_bulk(record, outcome(first, {}, attempt_count=1)) is not None
    assert await database.write_bulk(record, outcome(first, again, attempt_count=2)) is None
    tries = await database.read(rows, "SELECT number, error FROM attempts ORDER BY id")
    assert tries == [(1, "Server error (503)"), (2, None)]
    [(status, attempts, error)] = await database.read(rows, "SELECT status, attempt_count, error FROM deliveries")
    assert (status, attempts, error) == ("delivered", 2, None)


async def test_outcomes_of_one_batch_fold_into_one_state_of_their_target(database: Database) -> None:
    ids = await stored(database, "a", "b", "c")

    def settle(target: TargetState) -> Settled:
        return Settled(
            status="failed",
            final=True,
            error="no",
            target=TargetState(failure_count=target.failure_count + 1, status="failed"),
        )

    items = [outcome(each, {}, settle=settle, error="no") for each in ids]
    assert len(await database.write(record, items)) == 3
    states = await database.read(target_states, ["webhook:w1", "webhook:none"])
    assert states == {"webhook:w1": TargetState(failure_count=3, status="failed")}
    # That it fails is no change of the directory: nobody loads anything again.
    assert await database.read(rows, "SELECT value FROM revision") == [(0,)]


async def test_a_disabled_target_switches_its_endpoint_off(database: Database) -> None:
    await database.write(run, ADD_CLIENT)
    await database.write(
        run,
        "INSERT INTO webhooks (id, client_id, phone_number, webhook_url, created_at, updated_at) "
        "VALUES ('w1', 1, '*', 'https://example.org', '2025-01-20T10:00:00+00:00', '2025-01-20T10:00:00+00:00')",
    )
    ids = await stored(database, "a", "b")
    off = {"status": "failed", "final": True, "error": "Client error (410)", "target": TargetState(status="disabled")}
    await database.write_bulk(record, outcome(ids[0], off))
    [(active,)] = await database.read(rows, "SELECT is_active FROM webhooks")
    assert not active
    head = (await database.read(heads, [KEY.format("b")]))[KEY.format("b")]
    assert not head.active
    assert head.target.disabled


async def test_text_that_no_database_takes_is_cleaned(database: Database) -> None:
    (first,) = await stored(database, "a")
    bad = {"status": "failed", "final": True, "error": "a\0b", "target": TargetState(last_error="a\0b\ud800")}
    assert await database.write_bulk(record, outcome(first, bad, response="\0", error="\0")) is not None
    [(error,)] = await database.read(rows, "SELECT error FROM deliveries")
    assert error == "a\ufffdb"


@pytest.mark.parametrize("name", ["heads", "heads_skip", "open_lanes"])
async def test_lanes_are_found_by_the_index_of_open_deliveries(database: Database, name: str) -> None:
    await database.write(fill, 3000)
    plan = await database.read(explain, name)
    assert "deliveries_open" in plan
    assert "SCAN d\n" not in plan
    assert "Seq Scan on deliveries" not in plan


@pytest.mark.parametrize("name", ["heads", "heads_skip"])
async def test_what_came_since_the_database_last_looked_is_not_read_whole_for_each_chat(
    database: Database, name: str
) -> None:
    await database.write(fill, 3000)
    await database.write(run, "UPDATE deliveries SET settled = TRUE, status = 'delivered'")
    await database.write(run, "ANALYZE deliveries")  # Nothing waits: each index of what is open seems to be empty.
    await database.write(lambda db: store(db, [backlog(number) for number in range(1000)]))
    plan = await database.read(explain, name)
    assert "deliveries_open" in plan
    assert "deliveries_owed" not in plan
    assert "deliveries_waiting" not in plan


def backlog(number: int) -> Intake:
    chat = f"{number % 50}@c.us"
    return intake(routes=(route(chat=chat),), chat=chat)


def fill(db: Any, count: int) -> None:
    """Many settled deliveries, few open ones."""
    store(db, [intake(routes=(route(chat=f"{n % 50}@c.us"),), chat=f"{n % 50}@c.us") for n in range(count)])
    done = "UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE seq < ? OR chat > '2'"
    run(db, done, (count // 50 - 2,))
    if db.param != "?":  # SQLite is used without figures of its own
        run(db, "ANALYZE deliveries")


def explain(db: Any, name: str) -> str:
    wanted = text(name).replace("{wanted}", "(?), (?)").replace("{health}", "t.status").replace("{event}", "e.id")
    keys = [KEY.format("1"), KEY.format("2")]  # and a slice that is far smaller than what waits
    params: dict[str, list[Any]] = {"heads": keys, "heads_skip": [*keys, NOW.isoformat()], "open_lanes": ["", 5]}
    prefix = "EXPLAIN QUERY PLAN " if db.param == "?" else "EXPLAIN "
    return "".join(f"{row[-1]}\n" for row in rows(db, prefix + wanted, params[name]))
