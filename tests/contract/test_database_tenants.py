"""A tenant's accounts in the tables, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wagate.errors import ConflictError
from wagate.storage.database import Database
from wagate.storage.owners.accounts import NewAccount, create_account, put_config_accounts
from wagate.storage.owners.clients import add_client
from wagate.storage.owners.tenants import Wanted, put_tenant_accounts, tenant_accounts
from wagate.storage.rows import AccountRow

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


async def client(database: Database, slug: str = "acme") -> int:
    return (await database.write(add_client, slug=slug, name=slug, now=NOW)).id


async def put(database: Database, owner: int, *wanted: Wanted, most: int = 50) -> list[str]:
    return await database.write(put_tenant_accounts, owner, "acme", wanted, now=NOW, most=most)


async def accounts(database: Database, owner: int) -> list[AccountRow]:
    return await database.read(tenant_accounts, owner, "acme")


async def test_accounts_are_made_changed_and_taken_away_in_the_order_of_the_list(database: Database) -> None:
    owner = await client(database)
    first = Wanted(provider="pigeon", settings="one", phone="5511", weight=2, webhook_secret="s")
    assert await put(database, owner, first, Wanted(provider="dove", settings="two")) == ["acme", "acme-2"]
    assert await put(database, owner, Wanted(provider="dove", settings="three"), first) == []
    found = [
        (row.name, row.provider, row.settings, row.phone, row.weight, row.position)
        for row in await accounts(database, owner)
    ]
    assert found == [("acme", "dove", "three", "5511", 1, 0), ("acme-2", "pigeon", "one", "5511", 2, 1)]
    assert await put(database, owner, first) == []
    [row] = await accounts(database, owner)
    assert (row.name, row.webhook_secret) == ("acme", "s")
    assert await put(database, owner) == []
    assert await accounts(database, owner) == []


async def test_other_accounts_of_the_tenant_stay(database: Database) -> None:
    owner = await client(database)
    for name in ("acme-5511999999999", "acme-x", "acme-1", "acme-02"):
        new = NewAccount(name=name, client_id=owner, provider="engine")
        await database.write(create_account, new, now=NOW)
    assert await accounts(database, owner) == []
    await put(database, owner, Wanted(provider="pigeon", settings=""))
    await put(database, owner)
    names = await database.read(lambda db: [row[0] for row in db.execute_sql("SELECT name FROM accounts").fetchall()])
    assert sorted(names) == ["acme-02", "acme-1", "acme-5511999999999", "acme-x"]


async def test_a_name_that_is_anothers_or_the_configurations_changes_nothing(database: Database) -> None:
    owner, other = await client(database), await client(database, "other")
    with pytest.raises(ConflictError):
        await database.write(create_account, NewAccount(name="acme-2", client_id=other, provider="session"), now=NOW)
    configured = [NewAccount(name="acme", client_id=owner, provider="pigeon", settings="configured")]
    await database.write(put_config_accounts, configured, now=NOW)
    for wanted in ([Wanted(provider="dove", settings="")], []):
        with pytest.raises(ConflictError):
            await put(database, owner, *wanted)
    [row] = await accounts(database, owner)
    assert (row.provider, row.settings) == ("pigeon", "configured")


async def test_the_limit_of_accounts_holds(database: Database) -> None:
    owner = await client(database)
    wanted = Wanted(provider="pigeon", settings="")
    with pytest.raises(ConflictError):
        await put(database, owner, wanted, wanted, most=1)
    assert await accounts(database, owner) == []
