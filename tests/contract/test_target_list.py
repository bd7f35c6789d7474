"""Targets for people, read from SQLite and PostgreSQL: who sees which, in which state, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.rows import NOW, intake, route
from wagate.errors import NotFoundError
from wagate.inbound.receive import store_requests
from wagate.rules.targets import Health, Standing, TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries import target_list
from wagate.storage.deliveries.target_list import TargetRow, get_target, list_targets, pause_target
from wagate.storage.deliveries.targets import Owner, known_handlers, write_states
from wagate.storage.owners.clients import add_client, ensure_default_client
from wagate.storage.owners.endpoints import NewWebhook, create_webhook
from wagate.storage.statement import rows, run

ACME, OTHER = 2, 3
TRIED = {
    "n8n:down": {"down_since": NOW, "failing_since": NOW},
    "n8n:failing": {"failing_since": NOW},
    "n8n:off": {"status": Health.DISABLED},
    "n8n:up": {},
}
SHOWN = ("id", "client_id", "name", "url", "active", "standing", "waiting", "failed")


@pytest.fixture
async def there(database: Database) -> Database:
    """Two clients, each with two webhooks (one off), four that were tried, a paused one, and one that only waits."""
    await database.write(ensure_default_client, now=NOW)
    for slug, client in (("acme", ACME), ("other", OTHER)):
        await database.write(add_client, slug=slug, name=slug, now=NOW)
        for name in ("bot", "gone"):
            await _hook(database, client, name)
        await database.write(run, "UPDATE webhooks SET is_active = FALSE WHERE name = 'gone'")
        for target, fields in TRIED.items():
            state, owner = TargetState(**fields), Owner("n8n", client)  # type: ignore[arg-type]
            await database.write(write_states, {f"{target}-{slug}": state}, {f"{target}-{slug}": owner}, NOW)
        await database.write(pause_target, TargetRow(id=f"n8n:paused-{slug}", client_id=client), slug, NOW)
        for target in (f"chatwoot:in/{slug}", f"n8n:up-{slug}", f"n8n:up-{slug}"):
            await _waits(database, client, target)
    return database


async def _hook(database: Database, client: int, name: str) -> str:
    new = NewWebhook(
        client_id=client, phone_number="*", name=name, webhook_url="https://a.test", max_retries=3, events=["*"]
    )
    return (await database.write(create_webhook, "webhook", new, now=NOW)).id


async def _waits(database: Database, client: int, target: str) -> None:
    made = intake(routes=(route(target, chat=f"{target}@c.us"),), client_id=client, chat=f"{target}@c.us")
    await database.write_bulk(store_requests, [made])


def _shown(found: list[TargetRow]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(row, name) for name in SHOWN) for row in found]


async def test_a_client_sees_its_own_targets_and_the_admin_all(there: Database) -> None:
    mine = await there.read(list_targets, NOW, client_id=ACME)
    theirs = await there.read(list_targets, NOW, client_id=OTHER)
    assert [(row.id, row.standing, row.waiting) for row in mine if not row.name] == [
        ("chatwoot:in/acme", Standing.UP, 1),
        ("n8n:down-acme", Standing.DOWN, 0),
        ("n8n:failing-acme", Standing.FAILING, 0),
        ("n8n:off-acme", Standing.DISABLED, 0),
        ("n8n:paused-acme", Standing.PAUSED, 0),
        ("n8n:up-acme", Standing.UP, 2),
    ]
    assert [(row.name, row.url, row.standing) for row in sorted(mine, key=lambda row: row.name) if row.name] == [
        ("bot", "https://a.test", Standing.UP),
        ("gone", "https://a.test", Standing.DISABLED),
    ]
    assert {row.client_id for row in mine} == {ACME}
    everybodys = await there.read(list_targets, NOW)
    assert _shown(everybodys) == sorted(_shown(mine) + _shown(theirs))
    assert not {row.id for row in mine} & {row.id for row in theirs}


async def test_one_is_shown_as_the_list_shows_it_to_its_owner_alone(there: Database) -> None:
    for row in await there.read(list_targets, NOW, client_id=ACME):
        assert _shown([await there.read(get_target, row.id, NOW, client_id=ACME)]) == _shown([row])
        with pytest.raises(NotFoundError):
            await there.read(get_target, row.id, NOW, client_id=OTHER)


@pytest.mark.parametrize("client", [ACME, None])
async def test_filters_and_pages_are_the_databases(there: Database, client: int | None) -> None:
    whole = await there.read(list_targets, NOW, client_id=client)
    for handler in (None, "n8n", "webhook", "web", "no\0such"):
        for standing in (None, *Standing):
            wanted = [
                row for row in whole if handler in {None, row.id.partition(":")[0]} and standing in {None, row.standing}
            ]
            given: dict[str, Any] = {"client_id": client, "handler": handler, "standing": standing}
            found: list[TargetRow] = []
            while page := await there.read(list_targets, NOW, **given, after=found[-1].id if found else None, limit=2):
                found += page
            assert _shown(found) == _shown(wanted), (handler, standing)


async def test_a_target_whose_row_names_nobody_is_whose_it_waits_for(there: Database) -> None:
    await there.write(pause_target, TargetRow(id="n8n:nobody"), "admin", NOW)
    assert "n8n:nobody" not in {row.id for row in await there.read(list_targets, NOW, client_id=ACME)}
    await _waits(there, ACME, "n8n:nobody")
    (row,) = await there.read(list_targets, NOW, client_id=ACME, standing=Standing.PAUSED, after="n8n:m", limit=1)
    assert (row.id, row.client_id, row.waiting) == ("n8n:nobody", ACME, 1)
    assert "n8n:nobody" not in {row.id for row in await there.read(list_targets, NOW, client_id=OTHER)}
    assert len([row for row in await there.read(list_targets, NOW) if row.id == "n8n:nobody"]) == 1


async def test_what_failed_lately_is_counted(there: Database) -> None:
    await there.write(run, "UPDATE deliveries SET status = 'failed', settled = TRUE WHERE target_id = 'n8n:up-acme'")
    (row,) = await there.read(list_targets, NOW - timedelta(days=1), client_id=ACME, after="n8n:u", limit=1)
    assert (row.id, row.waiting, row.failed) == ("n8n:up-acme", 0, 2)


async def test_one_clients_list_is_found_by_indexes_however_much_others_have(there: Database) -> None:
    plan = await there.read(_plan)
    assert "deliveries_owed" in plan, plan
    assert "webhooks_client" in plan or "webhooks_connector_client_id" in plan or "autoindex_webhooks" in plan, plan
    assert "targets_client" in plan, plan


async def test_what_waits_for_one_is_found_among_what_waits(sqlite: Database) -> None:
    """Not among all that was ever sent there, which SQLite takes when that index is the newer one."""
    text = target_list.WAITING.format(which=" AND target_id IN (?)")
    plan = await sqlite.read(lambda db: "\n".join(_steps(rows(db, f"EXPLAIN QUERY PLAN {text}", ["webhook:w1"]))))
    assert "deliveries_waiting" in plan, plan


def _plan(db: Any) -> str:
    text, params = target_list._listing(db, ACME, [])
    if db.param == "?":
        return "\n".join(_steps(rows(db, f"EXPLAIN QUERY PLAN {text}", [*params, 50])))
    db.execute_sql("SET LOCAL enable_seqscan = off")  # the tables of a test are so small that it reads them whole
    return "\n".join(_steps(rows(db, f"EXPLAIN {text}", [*params, 50])))


def _steps(found: list[tuple[Any, ...]]) -> Iterator[str]:
    return (str(row[-1]) for row in found)


async def test_connectors_are_known_by_what_was_tried_and_by_what_waits(there: Database) -> None:
    assert await there.read(known_handlers, ["n8n", "chatwoot", "webhook", "in"]) == {"n8n", "chatwoot"}
