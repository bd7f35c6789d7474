"""Refused webhooks over restarts and between processes, in both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.rows import intake
from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.storage.database import Database
from wagate.storage.events.intake import store
from wagate.storage.owners.accounts import NewAccount, create_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.directory import Account
from wagate.storage.refusals import drop_refusals
from wagate.storage.threads.talk import follow, talk
from wagate.web.inbound.refusals import CHALLENGE, SIGNATURE, Refusals


@pytest.fixture
async def accounts(database: Database) -> dict[str, Account]:
    """One account, as the directory has it."""
    now = Clock().now()
    await database.write(ensure_default_client, now=now)
    row = await database.write(create_account, NewAccount(name="bakery", client_id=1, provider="meta"), now=now)
    account = Account(
        id=row.id,
        name=row.name,
        client_id=1,
        tenant="default",
        provider="meta",
        phone="",
        metadata={},
        ignore={},
        webhook_secret="",
        source="api",
    )
    return {"bakery": account}


def begun(database: Database, accounts: dict[str, Account]) -> Refusals:
    """As a process has them that began just now."""
    return Refusals(Clock(), lambda *_: None, database=database, accounts=lambda: accounts)


async def test_they_are_known_after_a_restart_and_an_accepted_one_ends_the_row(
    database: Database, accounts: dict[str, Account]
) -> None:
    before = begun(database, accounts)
    for reason in (SIGNATURE, SIGNATURE, CHALLENGE):
        before.refused("bakery", "meta", reason, "the signature does not match")
    before.refused("", "meta", SIGNATURE)
    await before.write()
    after = begun(database, accounts)
    await after.write()
    after.refused("bakery", "meta", SIGNATURE, "still not")
    rows = {row.reason: row for row in await after.all(client_id=1)}
    assert {reason: (row.in_a_row, row.times) for reason, row in rows.items()} == {SIGNATURE: (3, 3), CHALLENGE: (1, 1)}
    assert (rows[SIGNATURE].detail, rows[SIGNATURE].account) == ("still not", "bakery")
    assert [each.level for each in await after.look()] == ["fail"]
    after.accepted("bakery")
    assert {row.in_a_row for row in await after.all(client_id=1)} == {0}
    assert [each.level for each in await after.look()] == ["ok"]
    assert await after.all(client_id=2) == []


async def test_two_processes_add_up_and_one_accepted_webhook_is_enough(
    database: Database, accounts: dict[str, Account]
) -> None:
    one, other = begun(database, accounts), begun(database, accounts)
    for each in (one, other):
        each.refused("bakery", "meta", SIGNATURE)
        await each.write()
    (row,) = await one.all(client_id=1)
    assert row.in_a_row == 2
    other.accepted("bakery")
    other.refused("bakery", "meta", SIGNATURE)
    (row,) = await other.all(client_id=1)
    assert (row.in_a_row, row.times) == (1, 3)


@pytest.mark.parametrize("written", [False, True])
async def test_what_the_database_did_not_take_is_kept_for_the_next_time(
    database: Database, accounts: dict[str, Account], monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    """Once, also when the commit went through and only its answer got lost."""
    refusals, write = begun(database, accounts), database.write
    refusals.refused("bakery", "meta", SIGNATURE)

    async def locked(*args: Any, **more: Any) -> None:
        refusals.refused("bakery", "meta", SIGNATURE)  # meanwhile
        if written:
            await write(*args, **more)
        raise StorageError("locked")

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", locked)
        with pytest.raises(StorageError):
            await refusals.write()
        (seen,) = await refusals.all(client_id=1)
        assert (seen.in_a_row, seen.times, seen.account, seen.tenant) == (2, 2, "bakery", "default")
        assert await refusals.all(client_id=2) == []
    await refusals.write()
    (row,) = await refusals.all(client_id=1)
    assert (row.in_a_row, row.times) == (2, 2)


async def test_who_looks_writes_nothing_and_sees_what_is_not_written_yet(
    database: Database, accounts: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = begun(database, accounts)
    refusals.refused("bakery", "meta", SIGNATURE, "first")
    await refusals.write()
    (first,) = await refusals.all(client_id=1)

    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a look is no reason to write")

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", never)
        for _ in range(2):
            refusals.refused("bakery", "meta", SIGNATURE, "later")
        (row,) = await refusals.all(client_id=1, account_id=first.account_id)
        assert (row.in_a_row, row.times, row.detail, row.first_at) == (3, 3, "later", first.first_at)
        refusals.accepted("bakery")
        refusals.refused("bakery", "meta", CHALLENGE)
        seen = {one.reason: (one.in_a_row, one.times) for one in await refusals.all(client_id=None)}
        assert seen == {SIGNATURE: (0, 3), CHALLENGE: (1, 1)}
    await refusals.write()
    assert {one.reason: (one.in_a_row, one.times) for one in await refusals.all(client_id=1)} == seen


async def test_old_ones_are_forgotten(database: Database, accounts: dict[str, Account]) -> None:
    refusals = begun(database, accounts)
    refusals.refused("bakery", "meta", SIGNATURE)
    await refusals.write()
    await refusals.drop()
    assert len(await refusals.all(client_id=1)) == 1
    await database.write(drop_refusals, Clock().now() + timedelta(days=1))
    assert await refusals.all(client_id=1) == []


async def test_a_conversation_and_a_message_are_looked_at_in_both_databases(
    database: Database, accounts: dict[str, Account]
) -> None:
    item = intake(account="bakery", client_id=1, chat="15551230000@c.us", message_id="wamid.1")
    await database.write_bulk(store, item)
    page = await database.browse(talk, client_id=1, chat="15551230000@c.us", account="bakery", limit=10)
    assert [each.id for each in page.data] == [item.event.id]
    found = await database.browse(follow, item.event.id, client_id=1)
    assert (found.event.id, found.message, found.answers) == (item.event.id, None, [])
