"""What does not work just now, read from SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.contract.test_lanes import stored
from tests.rows import NOW
from wagate.rules.targets import Health, TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries import not_working as module
from wagate.storage.deliveries.not_working import NotWorking, not_working, unserved
from wagate.storage.deliveries.targets import Owner, write_states
from wagate.storage.fields import time_text
from wagate.storage.statement import run

HOUR = timedelta(hours=1)


async def put(database: Database, target: str, **fields: object) -> None:
    owner = Owner(target.partition(":")[0], 1)
    state = TargetState(**({"last_attempt_at": NOW} | fields))  # type: ignore[arg-type]
    await database.write(write_states, {target: state}, {target: owner}, NOW)


async def look(database: Database, now: datetime = NOW) -> NotWorking:
    return await database.read(not_working, handlers=("outbound", "webhook"), now=now)


async def test_receivers_that_are_down_are_shown_with_what_waits_for_them(database: Database) -> None:
    await stored(database, "a", "b", "c", target="webhook:w1")
    await stored(database, "d", target="webhook:w2")
    await put(database, "webhook:w1", down_since=NOW - HOUR, last_error="Server error (503)")
    await put(database, "webhook:w2", failing_since=NOW)
    await put(database, "webhook:w3", status=Health.DISABLED)
    await put(database, "webhook:w4", status=Health.DISABLED, down_since=NOW)
    await put(database, "webhook:w5")
    await put(database, "webhook:w6", paused_at=NOW, down_since=NOW)
    seen = await look(database)
    assert [(each.id, each.since, each.error) for each in seen.down] == [
        ("webhook:w1", NOW - HOUR, "Server error (503)")
    ]
    assert seen.down[0].oldest is not None
    assert (seen.waiting, seen.failing, seen.disabled, seen.paused) == (3, 1, 2, 1)


async def test_what_waits_is_counted_up_to_a_bound(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for target in ("webhook:w1", "webhook:w2"):
        await stored(database, "a", "b", target=target)
        await put(database, target, down_since=NOW)
    monkeypatch.setattr(module, "MOST", 3)
    assert (await look(database)).waiting == 3


async def test_a_receiver_that_nobody_wants_any_more_is_forgotten(database: Database) -> None:
    await put(database, "webhook:w1", down_since=NOW)
    await put(database, "gone:x", down_since=NOW)
    assert [each.id for each in (await look(database)).down] == ["webhook:w1"]
    assert (await look(database, NOW + timedelta(days=2))).down == []
    await stored(database, "a", target="webhook:w1")
    assert [each.id for each in (await look(database, NOW + timedelta(days=2))).down] == ["webhook:w1"]


async def test_what_waits_for_connectors_that_are_off_is_counted_by_connector(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for target in ("crm:a", "crm:b/c:d", "crm_old:a", "outbound:a1", "webhook:w1"):
        await stored(database, "a", "b", target=target)
    [first] = await stored(database, "done", target="zapper:a")
    await database.write(run, "UPDATE deliveries SET settled = TRUE, status = 'delivered' WHERE id = ?", (first,))
    await database.write(run, "UPDATE deliveries SET created_at = ? WHERE target_id = 'crm:b/c:d'", (time_text(NOW),))
    handlers = ("outbound", "webhook")
    seen = await database.read(unserved, handlers=handlers)
    assert [(each.connector, each.waiting) for each in seen] == [("crm", 4), ("crm_old", 2)]
    assert seen[0].oldest == NOW
    monkeypatch.setattr(module, "MOST", 3)
    assert [each.waiting for each in await database.read(unserved, handlers=handlers)] == [3, 2]
    assert await database.read(unserved, handlers=(*handlers, "crm", "crm_old")) == []


async def test_accounts_whose_messages_wait_are_no_receivers(database: Database) -> None:
    await put(database, "outbound:a1", down_since=NOW, last_error="token expired")
    seen = await look(database)
    assert seen.down == []
    assert (seen.senders["a1"].since, seen.senders["a1"].error) == (NOW, "token expired")


@pytest.mark.parametrize(
    ("status", "ever", "shown"),
    [
        ("session_not_connected", True, True),
        ("qr_generated", True, True),
        ("auth_failure", True, True),
        ("session_connected", True, False),
        ("loading", True, False),
        ("qr_generated", False, False),
    ],
)
async def test_an_account_is_logged_out_when_it_was_connected_once(
    database: Database, status: str, ever: bool, shown: bool
) -> None:
    await stored(database, "a")
    text = (
        "INSERT INTO accounts (id, name, client_id, provider, phone, settings, webhook_secret, metadata, ignore, "
        "source, status, message, ever_connected, created_at, updated_at, weight, position) "
        "VALUES ('a1', 'main', 1, 'waha', '', '', '', '{}', '{}', 'api', ?, '', ?, ?, ?, 1, 0)"
    )
    await database.write(run, text, (status, ever, NOW.isoformat(), NOW.isoformat()))
    assert set((await look(database)).logged_out) == ({"a1"} if shown else set())
