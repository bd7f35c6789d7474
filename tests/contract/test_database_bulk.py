"""What an act on all that match would touch, and how much is stored, on both databases."""

from __future__ import annotations

from datetime import timedelta

from tests.rows import NOW, intake, route
from wagate.rules.filters import DeliveryFilter
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import count_matching, reach_of
from wagate.storage.events.intake import store
from wagate.storage.owners.clients import ensure_default_client
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
    assert (found.chats, found.oldest_at) == (2, NOW + timedelta(minutes=1))
    assert (await database.browse(reach_of, which, client_id=2, until=newest)).targets == {}


async def test_how_much_is_stored_and_since_when(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    assert (await database.browse(stored)).oldest_at is None
    for minute in range(2):
        await database.write(store, [intake(created_at=NOW + timedelta(minutes=minute))])
    found = await database.browse(stored)
    assert (found.oldest_at, found.size > 4096) == (NOW, True)
    assert found.here is (database.dialect == "sqlite")
