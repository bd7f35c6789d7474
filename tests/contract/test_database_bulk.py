"""What an act on all that match would touch, and how much is stored, on both databases."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import peewee
import pytest

from tests.rows import NOW, intake, route
from wagate.rules.filters import DeliveryFilter
from wagate.rules.targets import Health, TargetState
from wagate.storage.audit import Act, list_acts
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import (
    add_bulk,
    count_matching,
    failing_of,
    get_bulk,
    list_bulk,
    list_refused,
    note_slice,
    oldest_of,
    reach_of,
)
from wagate.storage.deliveries.targets import Owner, write_states
from wagate.storage.events.intake import store
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows
from wagate.storage.upkeep.retention import SLICE, delete_bulk_acts, delete_bulk_refused
from wagate.storage.upkeep.stored import stored


async def test_receivers_chats_and_the_oldest_are_of_what_matches_alone(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    come = (("old", ("w3",)), ("1", ("w1", "w2")), ("1", ("w1",)), ("2", ("w1",)))
    for minute, (chat, targets) in enumerate(come):
        routes = tuple(route(f"webhook:{target}", chat) for target in targets)
        await database.write(store, [intake(chat=chat, routes=routes, created_at=NOW + timedelta(minutes=minute))])
    which = DeliveryFilter(since=NOW + timedelta(minutes=1))
    assert (await database.browse(count_matching, which, client_id=1))[0] == 4
    assert (await database.browse(count_matching, which, client_id=1, most=2))[0] == 3
    _, newest = await database.browse(count_matching, which, client_id=None)
    found = await database.browse(reach_of, which, client_id=1, until=newest)
    assert list(found.targets.items()) == [("webhook:w1", 3), ("webhook:w2", 1)]
    assert found.chats == 2
    assert await database.browse(oldest_of, which, client_id=1, until=newest) == NOW + timedelta(minutes=1)
    assert (await database.browse(reach_of, which, client_id=2, until=newest)).targets == {}
    assert await database.browse(oldest_of, which, client_id=2, until=newest) is None


async def test_those_that_fail_now_are_found_however_many_match(database: Database, monkeypatch: Any) -> None:
    """Of ten receivers, each with one delivery more than the next, and no more of them looked through than two."""
    monkeypatch.setattr("wagate.storage.deliveries.bulk.MOST_COUNTED", 2)
    await database.write(ensure_default_client, now=NOW)
    names = [f"webhook:w{number}" for number in range(10)]
    for first in range(10):
        await database.write(store, [intake(chat="1", routes=tuple(route(name, "1") for name in names[first:]))])
    down = TargetState(failing_since=NOW, down_since=NOW)
    states = {
        names[0]: TargetState(failing_since=NOW),
        names[1]: down,
        names[2]: TargetState(last_success_at=NOW),
        names[3]: msgspec.structs.replace(down, status=Health.DISABLED),
        names[8]: down,
        "webhook:w99": down,
        "n8n:w1": down,
    }
    owners = {name: Owner(handler=name.partition(":")[0], client_id=1) for name in states}
    await database.write(write_states, states, owners, NOW)

    async def failing(
        until: str, most: int = 9, client_id: int = 1, known: list[str] | None = None, **fields: Any
    ) -> list[str]:
        which = DeliveryFilter(**fields)
        return await database.browse(failing_of, which, client_id=client_id, until=until, most=most, known=known)

    _, newest = await database.browse(count_matching, DeliveryFilter(), client_id=None)
    assert await failing(newest) == await failing(newest, status="pending") == [names[0], names[1], names[8]]
    assert await failing(newest, most=2) == names[:2]
    assert await failing(newest, known=names[1:9]) == [names[1], names[8]]
    assert await failing(newest, handler="webhook", target="w8") == [names[8]]
    assert await failing(newest, handler="webhook", target="w2") == await failing(newest, status="failed") == []
    assert await failing(newest, client_id=2) == await failing("") == []


async def test_how_much_is_stored_and_since_when(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    assert (await database.browse(stored)).oldest_at is None
    for minute in range(2):
        await database.write(store, [intake(created_at=NOW + timedelta(minutes=minute))])
    found = await database.browse(stored)
    assert (found.oldest_at, found.size > 4096) == (NOW, True)
    assert found.here is (database.dialect == "sqlite")


async def asked(database: Database, id_: str = "b1") -> str:
    ask = partial(add_bulk, total=1204, who="acme", client_id=1, now=NOW, id_=id_, address="192.0.2.1")
    return await database.write(ask, "retry", DeliveryFilter(status="failed"), "f")


async def test_who_asked_is_written_down_with_it_or_neither_is_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(ensure_default_client, now=NOW)

    def full(_db: peewee.Database, _act: Act) -> None:
        raise ValueError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("wagate.storage.deliveries.bulk.write_act", full)
        with pytest.raises(ValueError, match="no room"):
            await asked(database)
    assert await database.browse(list_bulk) == []
    assert [await asked(database), await asked(database)] == ["b1", ""]
    (act,) = (await database.browse(list_acts, limit=9)).data
    assert (act.client_id, act.who, act.action, act.object) == (1, "acme", "retry all", "b1")
    assert (act.detail, act.address, act.created_at) == ("1,204 deliveries", "192.0.2.1", NOW)


async def test_the_first_that_were_refused_are_listed_page_by_page_as_long_as_the_act(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.storage.deliveries.bulk.MOST_LISTED", 5)
    await database.write(ensure_default_client, now=NOW)
    await database.write(store, [intake(chat="7@c.us", routes=(route("webhook:w1"),))])
    [(kept,)] = await database.read(rows, "SELECT id FROM deliveries")
    await asked(database)
    slices = ({f"00{number}": "it is gone" for number in range(3)}, {kept: "delivered", "z1": "late", "z2": "later"})
    for refused in slices:
        one = await database.read(get_bulk, "b1")
        note = partial(note_slice, after="z", done=1, over=False, now=NOW)
        await database.write(partial(note, refused=refused), one)
    made = await database.read(get_bulk, "b1")
    assert (made.done, made.refused, made.reasons["it is gone"], made.reasons["later"]) == (2, 6, 3, 1)
    first = await database.browse(list_refused, "b1", client_id=1, limit=3)
    assert [(each.id, each.target) for each in first.data] == [("000", None), ("001", None), ("002", None)]
    assert first.next_cursor == "002"
    last = await database.browse(list_refused, "b1", client_id=None, limit=3, cursor="002")
    found = [(each.id, each.reason, each.target, each.chat) for each in last.data]
    assert found == [(kept, "delivered", "webhook:w1", "7@c.us"), ("z1", "late", None, None)]
    assert last.next_cursor is None
    later = NOW + timedelta(days=1)
    assert await database.write(delete_bulk_refused, later) == 0, "it runs"
    await database.write(partial(note_slice, after="z", done=0, refused={}, over=True, now=NOW), made)
    assert [await database.write(delete_bulk_refused, later, most) for most in (2, SLICE, SLICE)] == [2, 3, 0]
    assert await database.write(delete_bulk_acts, later) == 1
