"""An event for very many receivers: some of its deliveries with it, the others later, and none overtaken or twice."""

from __future__ import annotations

import random
from collections import defaultdict

import peewee
import pytest

from tests.rows import NOW, event
from wagate.events import Event
from wagate.hooks import Delivery, Handler, Target
from wagate.inbound.receive import store_requests
from wagate.inbound.route import Router
from wagate.storage.database import Database
from wagate.storage.events.intake import AT_ONCE, WIDE, Intake, Stored, reroute, store
from wagate.storage.events.later import SLICE, store_later
from wagate.storage.owners.clients import add_client, delete_client, ensure_default_client
from wagate.storage.statement import rows
from wagate.storage.upkeep.retention import delete_events

pytest_plugins = ("tests.valkey",)

MANY = 2 * AT_ONCE + 300


async def nothing(_delivery: Delivery) -> None:
    """Of a handler that only routes."""


HANDLERS = {
    "webhook": Handler(name="webhook", targets=lambda _event: (), handle=nothing),
    "n8n": Handler(name="n8n", targets=lambda _event: ()),
}
ROUTER = Router(HANDLERS, max_retries=3)


def intake(made: Event, *, count: int, first: int = 0, pull: bool = False) -> Intake:
    routes = ROUTER.routes_to("webhook", [Target(id=f"w{first + number}") for number in range(count)], made)
    return Intake(event=made, routes=(*routes, *(ROUTER.routes_to("n8n", [Target(id="1")], made) if pull else ())))


async def stored(database: Database, *items: Intake) -> list[Stored]:
    return await database.write(store, list(items))


async def slices(database: Database) -> list[int]:
    """Store what waits; how many each time."""
    sizes = []
    while found := await database.write(store_later):
        sizes.append(len(found))
    return sizes


async def lanes(database: Database) -> dict[str, list[str]]:
    """Contents of each target's deliveries, in order."""
    text = "SELECT d.target_id, e.content FROM deliveries d JOIN events e ON e.id = d.event_id ORDER BY d.key, d.seq"
    found = defaultdict(list)
    for target, content in await database.read(lambda db: rows(db, text)):
        found[target].append(content)
    return found


async def test_few_come_with_their_event_and_wide_ones_in_slices(database: Database) -> None:
    [few] = await stored(database, intake(event(), count=WIDE))
    assert (len(few.deliveries), few.later, await slices(database)) == (WIDE, False, [])
    [many] = await stored(database, intake(event(), count=MANY, first=1000, pull=True))
    assert (len(many.deliveries), many.later) == (AT_ONCE, True)
    assert many.job_id in {each.delivery_id for each in many.deliveries}, "a job whose id is answered can be asked for"
    assert await slices(database) == [SLICE, MANY + 1 - AT_ONCE - SLICE]
    assert len(await lanes(database)) == WIDE + MANY + 1


async def test_several_wide_events_share_the_room_of_a_commit(database: Database) -> None:
    wide = [intake(event(chat=f"{number}@c.us"), count=400, pull=True) for number in range(4)]
    await database.write(store_requests, [[each] for each in wide] + [[intake(event(chat="9@c.us"), count=1)]])
    assert sum(map(len, (await lanes(database)).values())) == AT_ONCE + 2 + 1, "the jobs and the narrow one came too"
    await slices(database)
    assert sum(map(len, (await lanes(database)).values())) == 4 * 401 + 1


async def test_what_comes_behind_in_the_chat_overtakes_at_no_target(database: Database) -> None:
    dice = random.Random(5)
    sent: dict[str, list[str]] = defaultdict(list)
    for turn in range(40):
        first, count = dice.randrange(900), dice.choice([1, 3, 90, 700, MANY])
        made = intake(event(content=f"{turn:02}"), count=count, first=first, pull=dice.random() < 0.5)
        [told] = await stored(database, made)
        for route in made.routes:
            sent[route.target_id].append(f"{turn:02}")
        assert {each.delivery_id for each in told.deliveries} <= {route.delivery_id for route in made.routes}
        for _ in range(dice.randrange(2)):
            await database.write(store_later)
    await slices(database)
    assert await lanes(database) == sent


async def test_another_chat_and_other_targets_wait_for_nothing(database: Database) -> None:
    await stored(database, intake(event(), count=MANY))
    told = await stored(
        database,
        intake(event(chat="other@c.us"), count=3, first=MANY - 3),
        intake(event(), count=3, first=MANY),
        intake(event(), count=3, first=MANY - 3),
    )
    assert [(len(each.deliveries), each.later) for each in told] == [(3, False), (3, False), (0, True)]


async def test_a_slice_that_breaks_off_waits_whole(database: Database) -> None:
    await stored(database, intake(event(), count=MANY))

    def breaks(db: peewee.Database) -> None:
        assert len(store_later(db)) == SLICE
        raise ValueError("breaks off")

    with pytest.raises(ValueError, match="breaks off"):
        await database.write(breaks)
    assert await slices(database) == [SLICE, MANY - AT_ONCE - SLICE]
    assert {len(each) for each in (await lanes(database)).values()} == {1}


async def test_an_event_that_is_routed_late_is_parted_as_well(database: Database) -> None:
    made = event()
    [told] = await stored(database, intake(made, count=1))
    routes = intake(made, count=MANY, first=10).routes
    again = await database.write(reroute, told.deliveries[0].delivery_id, 0, made, routes, now=NOW)
    assert len(again) == AT_ONCE
    assert sum(await slices(database)) == MANY - AT_ONCE


async def test_an_event_stays_while_some_of_it_waits_and_goes_with_its_client(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    acme = await database.write(add_client, slug="acme", name="Acme", now=NOW)
    await stored(database, intake(event(client_id=acme.id), count=MANY))
    await database.write(lambda db: db.execute_sql("UPDATE deliveries SET settled = TRUE, status = 'delivered'"))
    old = NOW.replace(year=NOW.year + 1)
    assert await database.write(delete_events, old, old) == 0
    await database.write(delete_client, "acme", now=NOW)
    assert await database.write(store_later) == []
    assert await database.write(delete_events, old, old) == 1
