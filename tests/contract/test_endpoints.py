"""Registered endpoints: the table on both databases and the fake of the kit keep one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.rows import event
from wagate.context.endpoints import EndpointTable
from wagate.errors import ConflictError, NotFoundError
from wagate.hooks import Endpoint, EndpointChange, EndpointSecret, NewEndpoint
from wagate.hooks.context import Endpoints
from wagate.storage.database import Database, open_database
from wagate.storage.owners.clients import add_client, ensure_default_client
from wagate.storage.owners.live import LiveDirectory
from wagate.testing import NOW, FakeEndpoints
from wagate.testing.context import FixedClock

SECRETS = [EndpointSecret(secret="new"), EndpointSecret(secret="old", expires_at=NOW)]


class NoControl:
    """Nothing waits here."""

    async def changed(self, target_id: str) -> None:
        assert target_id.startswith("webhook:")

    async def recover(self, target_id: str, *, since: float) -> int:
        return 0


@pytest.fixture(params=["fake", "sqlite", "postgres"])
async def endpoints(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Endpoints]:
    clock = FixedClock()
    if request.param == "fake":
        yield FakeEndpoints({1: "default", 2: "acme"}.__getitem__, clock)
        return
    async with open_database(request.getfixturevalue(f"{request.param}_url"), tmp_path) as database:
        await database.write(ensure_default_client, now=NOW)
        await database.write(add_client, slug="acme", name="Acme", now=NOW)
        live = LiveDirectory(database, str)
        yield EndpointTable(
            "webhook",
            database=database,
            live=live,
            control=NoControl(),  # type: ignore[arg-type]
            clock=clock,
            encrypt=lambda text: text[::-1],
            decrypt=lambda text: text[::-1],
        )


def new(**fields: Any) -> NewEndpoint:
    made = {
        "client_id": 1,
        "phone_number": "*",
        "name": "",
        "webhook_url": "https://hooks.example/in",
        "max_retries": 4,
        "events": ["message", "group.*"],
        "metadata": {"a": [1, None, "é"]},
        "options": {"version": 1, "rate": 0.5, "deep": {"b": [None, "é"]}},
        "secrets": SECRETS,
    }
    return NewEndpoint(**(made | fields))


async def test_what_is_stored_comes_back(endpoints: Endpoints) -> None:
    made = await endpoints.create(new(client_id=2))
    assert made == await endpoints.get(made.id)
    assert (made.tenant_id, made.is_active, made.status, made.failure_count) == ("acme", True, "active", 0)
    assert (made.secrets, made.options, made.metadata) == (SECRETS, new().options, new().metadata)
    assert (made.created_at, made.updated_at, made.last_attempt_at) == (NOW, NOW, None)


async def test_number_and_name_are_taken_once_by_each_client(endpoints: Endpoints) -> None:
    await endpoints.create(new())
    other = await endpoints.create(new(name="b"))
    await endpoints.create(new(client_id=2))
    with pytest.raises(ConflictError):
        await endpoints.create(new())
    with pytest.raises(ConflictError):
        await endpoints.change(other.id, EndpointChange(name=""))
    assert (await endpoints.get(other.id)).name == "b"


async def test_a_change_leaves_what_is_not_set(endpoints: Endpoints) -> None:
    made = await endpoints.create(new())
    changed = await endpoints.change(made.id, EndpointChange(max_retries=9, secrets=SECRETS[:1]))
    assert (changed.max_retries, changed.secrets, changed.options) == (9, SECRETS[:1], made.options)
    assert (changed.webhook_url, changed.events, changed.metadata) == (made.webhook_url, made.events, made.metadata)


async def test_options_are_laid_over_those_stored_and_none_takes_one_away(endpoints: Endpoints) -> None:
    made = await endpoints.create(new())
    changed = await endpoints.change(made.id, EndpointChange(options={"rate": None, "timeout": 5, "gone": None}))
    assert changed.options == {"version": 1, "deep": {"b": [None, "é"]}, "timeout": 5}
    assert await endpoints.get(made.id) == changed


async def test_secrets_that_were_changed_meanwhile_are_left_alone(endpoints: Endpoints) -> None:
    made = await endpoints.create(new())
    fresh = [EndpointSecret(secret="whsec_fresh"), *made.secrets]
    await endpoints.change(made.id, EndpointChange(secrets=fresh, secrets_before=made.secrets))
    with pytest.raises(ConflictError):
        await endpoints.change(made.id, EndpointChange(secrets=SECRETS[:1], secrets_before=made.secrets))
    assert (await endpoints.get(made.id)).secrets == fresh
    await endpoints.change(made.id, EndpointChange(secrets=SECRETS, secrets_before=fresh))
    assert (await endpoints.get(made.id)).secrets == SECRETS


async def test_the_snapshot_holds_what_is_active(endpoints: Endpoints) -> None:
    one, two = await endpoints.create(new()), await endpoints.create(new(client_id=2))
    assert shape(endpoints) == {1: [one.id], 2: [two.id]}
    await endpoints.change(one.id, EndpointChange(is_active=False))
    assert shape(endpoints) == {2: [two.id]}
    assert (endpoints.active(one.id), endpoints.active(two.id)) == (None, two)
    await endpoints.change(one.id, EndpointChange(is_active=True))
    await endpoints.delete(two.id)
    assert shape(endpoints) == {1: [one.id]}


async def test_a_list_is_newest_first_in_pages(endpoints: Endpoints) -> None:
    made = [await endpoints.create(new(name=str(number))) for number in range(3)]
    made.append(await endpoints.create(new(client_id=2, phone_number="5511888888888")))
    ids = [each.id for each in reversed(made)]
    first = await endpoints.page(client_id=None, limit=3, cursor=None, phone_number=None)
    rest = await endpoints.page(client_id=None, limit=3, cursor=first.next_cursor, phone_number=None)
    assert ([each.id for each in first.data], [each.id for each in rest.data]) == (ids[:3], ids[3:])
    assert rest.next_cursor is None
    own = await endpoints.page(client_id=1, limit=50, cursor=None, phone_number=None)
    assert [each.id for each in own.data] == ids[1:]
    number = await endpoints.page(client_id=None, limit=50, cursor=None, phone_number="5511888888888")
    assert [each.id for each in number.data] == ids[:1]


async def test_what_is_not_there_is_not_found(endpoints: Endpoints) -> None:
    made = await endpoints.create(new())
    await endpoints.delete(made.id)
    for missing in (made.id, "nothing"):
        with pytest.raises(NotFoundError):
            await endpoints.get(missing)
        with pytest.raises(NotFoundError):
            await endpoints.delete(missing)
        with pytest.raises(NotFoundError):
            await endpoints.change(missing, EndpointChange(name="x"))


def shape(endpoints: Endpoints) -> dict[int, list[str]]:
    def ids(rows: Any) -> list[str]:
        return [each.id for each in rows if isinstance(each, Endpoint)]

    return {client: ids(rows) for client, rows in endpoints.snapshot().items()}


async def test_those_that_want_an_event_are_found_by_client_number_and_name(endpoints: Any) -> None:
    number = await endpoints.create(new(name="number", phone_number="5511888888888", events=["message"]))
    every = await endpoints.create(new(name="every", events=["*"]))
    account = await endpoints.create(new(name="account", phone_number="main", events=["message.any"]))
    groups = await endpoints.create(new(name="groups", events=["group.*"]))
    await endpoints.create(new(name="theirs", client_id=2, events=["*"]))

    def wanting(kind: str, **fields: Any) -> list[str]:
        return [each.id for each in endpoints.wanting(event(kind=kind, **fields))]

    assert wanting("message") == [number.id, every.id, account.id]
    assert wanting("message.any") == [account.id]
    assert wanting("message", phone="1", account="other") == [every.id]
    assert wanting("group.join") == [every.id, groups.id]
    assert wanting("webhook.failing", phone="", account="") == [every.id]
    await endpoints.change(every.id, EndpointChange(is_active=False))
    await endpoints.change(number.id, EndpointChange(phone_number="*"))
    assert wanting("message", phone="1", account="other") == [number.id]
    await endpoints.delete(number.id)
    assert wanting("message", phone="1", account="other") == []


async def test_what_another_process_changed_is_taken_up_and_our_own_stays(database: Database) -> None:
    clock = FixedClock()
    await database.write(ensure_default_client, now=NOW)
    here, there = (
        EndpointTable(
            "webhook",
            database=database,
            live=LiveDirectory(database, str),
            control=NoControl(),  # type: ignore[arg-type]
            clock=clock,
            encrypt=str,
            decrypt=str,
        )
        for _ in range(2)
    )
    ours, theirs = await here.create(new(name="ours")), await there.create(new(name="theirs"))
    gone = await there.create(new(name="gone"))
    await here.reload()
    assert [each.id for each in here.wanting(event())] == [ours.id, theirs.id, gone.id]
    await there.delete(gone.id)
    clock.shift(1)
    await there.change(theirs.id, EndpointChange(events=["call.received"]))
    await here.reload()
    assert [each.id for each in here.wanting(event())] == [ours.id]
    assert [each.id for each in here.wanting(event(kind="call.received"))] == [theirs.id]


async def test_of_changes_at_once_memory_has_what_the_table_has(database: Database) -> None:
    """Two in one commit are told in any order, so it is tried some times."""
    await database.write(ensure_default_client, now=NOW)
    table = EndpointTable(
        "webhook",
        database=database,
        live=LiveDirectory(database, str),
        control=NoControl(),  # type: ignore[arg-type]
        clock=FixedClock(),
        encrypt=str,
        decrypt=str,
    )
    for number in range(16):
        made = await table.create(new(name=f"{number}"))
        async with trio.open_nursery() as nursery:
            for on in (False, True):
                nursery.start_soon(table.change, made.id, EndpointChange(is_active=on))
        assert (table.active(made.id) is not None) == (await table.get(made.id)).is_active
        async with trio.open_nursery() as nursery:
            nursery.start_soon(table.change, made.id, EndpointChange(is_active=True))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(table.delete, made.id)
        assert table.active(made.id) is None
