"""What one process changes, another takes up: that alone, and all of it."""

from __future__ import annotations

import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import FrameType
from typing import Any

import pytest
import trio

from tests.contract.test_endpoints import NoControl, new
from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.context import endpoints
from wagate.context.endpoints import EndpointTable
from wagate.errors import StorageError
from wagate.hooks import EndpointChange
from wagate.storage.database import Database
from wagate.storage.deliveries.targets import switch_off
from wagate.storage.fields import time_text
from wagate.storage.owners import revision
from wagate.storage.owners.accounts import (
    AccountChange,
    NewAccount,
    create_account,
    delete_account,
    patch_account,
    put_config_accounts,
)
from wagate.storage.owners.clients import (
    add_client,
    add_token,
    delete_client,
    ensure_default_client,
    list_tokens,
    rename_client,
    revoke_token,
)
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import LiveDirectory, load_directory, take_up
from wagate.storage.owners.revision import bump
from wagate.storage.statement import run_many

VAULT = Vault(["a passphrase for these tests"])


class Process:
    """One process's view of who is who."""

    def __init__(self, database: Database) -> None:
        self.opened = 0
        self.live = LiveDirectory(database, self._decrypt)
        self.endpoints = EndpointTable(
            "webhook",
            database=database,
            live=self.live,
            control=NoControl(),  # type: ignore[arg-type]
            clock=Clock(),
            encrypt=VAULT.encrypt,
            decrypt=VAULT.decrypt,
        )

    def _decrypt(self, sealed: str) -> str:
        self.opened += 1
        return VAULT.decrypt(sealed)


@pytest.fixture
async def one(database: Database) -> Process:
    """A process on a database with the client ``default``."""
    await database.write(ensure_default_client, now=Clock().now())
    process = Process(database)
    await process.live.reload()
    return process


async def test_after_any_changes_a_process_knows_what_a_new_one_reads(database: Database, one: Process) -> None:
    dice, other = random.Random(7), Process(database)
    await other.live.reload()
    for turn in range(25):
        for number in range(dice.randrange(4)):
            await dice.choice(ACTS)(database, other.endpoints, dice, f"{turn}-{number}")
        await one.live.reload_if_changed()
        fresh = Process(database)
        await fresh.live.reload()
        assert one.live.now == fresh.live.now == await database.read(load_directory, VAULT.decrypt)
        assert one.endpoints.snapshot() == fresh.endpoints.snapshot()


async def test_only_what_changed_is_read_and_decrypted(database: Database, one: Process) -> None:
    for number in range(5):
        await database.write(create_account, account(f"a{number}"), now=Clock().now())
    made = [await one.endpoints.create(new(name=str(number))) for number in range(5)]
    await one.live.reload()
    assert one.opened == 5
    before, kept = one.live.now, one.endpoints.active(made[1].id)
    await database.write(switch_off, [f"webhook:{made[0].id}"], Clock().now())
    await one.live.reload_if_changed()
    assert (one.endpoints.active(made[0].id), one.endpoints.active(made[1].id)) == (None, kept)
    assert one.live.now is before, "no account, client or token changed"
    await database.write(patch_account, "a3", AccountChange(settings=VAULT.encrypt('{"x":2}')), now=Clock().now())
    await one.live.reload_if_changed()
    assert (one.opened, one.live.now.accounts["a3"].settings) == (6, {"x": 2})


async def test_a_client_that_goes_makes_nobody_read_what_others_have(database: Database, one: Process) -> None:
    now = Clock().now()
    acme = await database.write(add_client, slug="acme", name="Acme", now=now)
    await database.write(add_token, client_id=acme.id, digest="d", name="t", now=now)
    for number in range(3):
        await database.write(create_account, account(f"a{number}"), now=now)
        await database.write(create_account, account(f"acme-{number}", client_id=acme.id), now=now)
    kept = await one.endpoints.create(new())
    gone = await one.endpoints.create(new(client_id=acme.id))
    await one.live.reload()
    held, opened = one.endpoints.active(kept.id), one.opened
    await database.write(delete_client, "acme", now=now)
    assert (await database.read(revision.changes_since, one.live._known.revision))[1] is not None
    await one.live.reload_if_changed()
    assert (one.endpoints.active(gone.id), one.endpoints.active(kept.id)) == (None, held)
    assert one.opened == opened
    assert one.live.now == await database.read(load_directory, VAULT.decrypt)


def _add(db: Any, turn: int) -> None:
    create_account(db, account(f"more{turn}"), now=Clock().now())


def _change(db: Any, turn: int) -> None:
    patch_account(db, f"f{turn}", AccountChange(phone=f"99{turn}", weight=2), now=Clock().now())


def _delete(db: Any, turn: int) -> None:
    delete_account(db, f"f{turn}")


def _token(db: Any, turn: int) -> None:
    add_token(db, client_id=1, digest=f"d{turn}", name="t", now=Clock().now())


@pytest.mark.parametrize("act", [_add, _change, _delete, _token])
async def test_a_change_costs_no_more_beside_many_others(
    database: Database, one: Process, act: Callable[[Any, int], None]
) -> None:
    told: list[str] = []

    async def tell(before: Any) -> None:
        told.extend(before)

    work = []
    for turn, numbers in enumerate((range(20), range(20, 40), range(40, 2000))):
        await database.write(_fill, numbers)
        await one.live.reload()
        one.live.on_accounts(tell)
        await database.write(act, turn)
        work.append(await database.read(_instructions, one.live))
        told.clear()
        await one.live.reload()
        assert len(told) == (0 if act is _token else turn + 1), "each who listens hears of one account"
    assert work[2] < 1.5 * work[1], f"instructions: {work}"


def _fill(db: Any, numbers: range) -> None:
    """Accounts f0, f1 …"""
    now = time_text(Clock().now())
    text = (
        "INSERT INTO accounts (id, name, client_id, provider, phone, settings, created_at, updated_at) "
        "VALUES (?, ?, 1, 'meta', ?, ?, ?, ?)"
    )
    settings = VAULT.encrypt('{"x":1}')
    run_many(db, text, [(f"f{n}", f"f{n}", str(n), settings, now, now) for n in numbers])
    bump(db)


def _instructions(db: Any, live: LiveDirectory) -> int:
    """Of Python, to take up what changed: the work, on a machine of any speed."""
    count = 0

    def watch(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        take_up(db, VAULT.decrypt, live._known, live.now)
    finally:
        sys.settrace(before)
    return count


async def test_what_could_not_be_read_is_read_the_next_time(
    database: Database, one: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await one.endpoints.create(new())
    await one.live.reload()
    await database.write(switch_off, [f"webhook:{made.id}"], Clock().now())
    with monkeypatch.context() as broken:
        broken.setattr(endpoints, "webhooks_by_id", _away)
        with pytest.raises(StorageError):
            await one.live.reload_if_changed()
    await one.live.reload_if_changed()
    assert one.endpoints.active(made.id) is None


def _away(*_: Any) -> None:
    raise StorageError("the database is away")


async def test_who_is_too_far_behind_reads_everything(
    database: Database, one: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revision, "KEPT", 3)
    for number in range(5):
        await database.write(create_account, account(f"a{number}"), now=Clock().now())
    await one.live.reload_if_changed()
    assert sorted(one.live.now.accounts) == ["a0", "a1", "a2", "a3", "a4"]


async def test_a_change_that_is_not_named_is_read_all_the_same(database: Database, one: Process) -> None:
    await database.write(put_config_accounts, [account("main")], now=Clock().now())
    await database.write(bump)
    await one.live.reload_if_changed()
    assert list(one.live.now.accounts) == ["main"]


def account(name: str, client_id: int = 1) -> NewAccount:
    """With a secret."""
    return NewAccount(name=name, client_id=client_id, provider="meta", settings=VAULT.encrypt('{"x":1}'))


Act = Callable[[Database, EndpointTable, random.Random, str], Awaitable[Any]]


async def _clients(database: Database, dice: random.Random) -> tuple[int, str]:
    found = await database.read(load_directory, VAULT.decrypt)
    client = dice.choice([*found.clients.values()])
    return client.id, client.slug


async def _add_client(database: Database, _table: EndpointTable, _dice: random.Random, name: str) -> None:
    await database.write(add_client, slug=f"c{name}", name="C", now=Clock().now())


async def _rename_client(database: Database, _table: EndpointTable, dice: random.Random, name: str) -> None:
    _, slug = await _clients(database, dice)
    await database.write(rename_client, slug, name=name, now=Clock().now())


async def _delete_client(database: Database, _table: EndpointTable, dice: random.Random, _name: str) -> None:
    _, slug = await _clients(database, dice)
    if slug != "default" and dice.random() < 0.3:
        await database.write(delete_client, slug, now=Clock().now())


async def _add_token(database: Database, _table: EndpointTable, dice: random.Random, name: str) -> None:
    client_id, _ = await _clients(database, dice)
    await database.write(add_token, client_id=client_id, digest=f"d{name}", name="t", now=Clock().now())


async def _revoke_token(database: Database, _table: EndpointTable, dice: random.Random, _name: str) -> None:
    client_id, _ = await _clients(database, dice)
    for token in (await database.read(list_tokens, client_id))[:1]:
        await database.write(revoke_token, client_id=client_id, token_id=token.id)


async def _add_account(database: Database, _table: EndpointTable, dice: random.Random, name: str) -> None:
    client_id, _ = await _clients(database, dice)
    await database.write(create_account, account(f"n{name}", client_id), now=Clock().now())


async def _change_account(database: Database, _table: EndpointTable, dice: random.Random, name: str) -> None:
    accounts = (await database.read(load_directory, VAULT.decrypt)).accounts
    if accounts:
        change = AccountChange(phone=name.replace("-", ""), weight=dice.randrange(9))
        await database.write(patch_account, dice.choice(sorted(accounts)), change, now=Clock().now())


async def _delete_account(database: Database, _table: EndpointTable, dice: random.Random, _name: str) -> None:
    accounts = (await database.read(load_directory, VAULT.decrypt)).accounts
    if accounts:
        await database.write(delete_account, dice.choice(sorted(accounts)))


async def _add_webhook(database: Database, table: EndpointTable, dice: random.Random, name: str) -> None:
    client_id, _ = await _clients(database, dice)
    await table.create(new(client_id=client_id, name=name))


async def _change_webhook(_database: Database, table: EndpointTable, dice: random.Random, name: str) -> None:
    page = await table.page(client_id=None, limit=100, cursor=None, phone_number=None)
    if page.data:
        change = EndpointChange(is_active=dice.random() < 0.5, events=[f"e{name}"])
        await table.change(dice.choice(page.data).id, change)


async def _delete_webhook(_database: Database, table: EndpointTable, dice: random.Random, _name: str) -> None:
    page = await table.page(client_id=None, limit=100, cursor=None, phone_number=None)
    if page.data:
        await table.delete(dice.choice(page.data).id)


ACTS: tuple[Act, ...] = (
    _add_client,
    _rename_client,
    _delete_client,
    _add_token,
    _revoke_token,
    _add_account,
    _change_account,
    _delete_account,
    _add_webhook,
    _change_webhook,
    _delete_webhook,
)


async def test_who_can_not_take_a_change_keeps_it_from_nobody_and_is_told_again(
    database: Database, one: Process
) -> None:
    heard: list[list[str]] = []
    broken = [StorageError("the disk is full"), trio.TooSlowError()]

    async def breaks(_accounts: Mapping[str, Account | None]) -> None:
        await trio.lowlevel.checkpoint()
        if broken:
            raise broken.pop(0)

    async def hears(accounts: Mapping[str, Account | None]) -> None:
        await trio.lowlevel.checkpoint()
        heard.append(sorted(accounts))

    one.live.on_accounts(breaks)
    one.live.on_accounts(hears)
    await database.write(create_account, account("a"), now=Clock().now())
    await one.live.reload()
    row = one.live.now.accounts["a"]
    assert heard == [[row.id]]
    with pytest.raises(trio.TooSlowError):
        await one.live.reload()
    await one.live.reload()
    assert heard == [[row.id]] * 2
    await one.live.reload()
    assert heard == [[row.id]] * 2
