"""Acts on all deliveries that match: in order, up to a moment, over restarts, stopped, and what was refused."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from tests.consuming import World, open_world
from wagate.rules.filters import DeliveryFilter
from wagate.storage.deliveries.bulk import Bulk, add_bulk, count_matching, get_bulk, take_bulk

pytest_plugins = ("tests.valkey",)

FAILED = DeliveryFilter(handler="webhook", target="w1", status="failed")


async def asked(
    world: World, verb: str = "retry", which: DeliveryFilter = FAILED, client_id: int | None = None
) -> Bulk:
    assert world.consumers is not None
    _, newest = await world.database.read(count_matching, which, client_id=client_id)
    return await world.consumers.bulk.start(verb, which, until=newest, who="admin", client_id=client_id)  # type: ignore[arg-type]


async def ended(world: World, made: Bulk) -> Bulk:
    async def over() -> bool:
        return (await world.database.read(get_bulk, made.id)).state != "running"

    await world.until_async(over)
    return await world.database.read(get_bulk, made.id)


async def test_all_that_failed_go_again_each_chat_in_order(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running():
        world.receiver.default = 400
        contents = [f"m{number}" for number in range(12)]
        ids = await world.send("a", *contents)
        other = await world.send("b", "o1", target="w2")
        await world.statuses([*ids, *other], "final")
        world.receiver.default = 200
        world.receiver.calls.clear()
        made = await ended(world, await asked(world))
        assert (made.state, made.total, made.done, made.refused) == ("done", 12, 12, 0)
        await world.statuses(ids, "delivered")
        assert world.receiver.contents() == contents


async def test_what_came_later_or_is_somebody_elses_is_not_among_them(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world, world.running() as consumers:
        world.receiver.default = 400
        first = await world.send("a", "a1")
        other = await world.send("b", "b1", client=2)
        await world.statuses([*first, *other], "final")
        _, newest = await world.database.read(count_matching, FAILED, client_id=1)
        later = await world.send("a", "a2")
        await world.statuses(later, "final")
        world.receiver.default = 200
        made = await consumers.bulk.start("retry", FAILED, until=newest, who="acme", client_id=1)
        assert (await ended(world, made)).done == 1
        await world.statuses(first, "delivered")
        for each in (*later, *other):
            await world.status(each, "final")


async def test_what_a_process_left_is_done_by_the_next_which_says_what_was_refused(
    external_url: str, tmp_path: Path
) -> None:
    which = DeliveryFilter(handler="webhook", target="w1")
    async with open_world(external_url, tmp_path) as world:
        async with world.running() as consumers:
            world.receiver.default = 400
            ids = await world.send("a", "a1", "a2", "a3")
            await world.statuses(ids, "final")
            world.receiver.default = 200
            await consumers.control.retry(ids[0], client_id=None)
            await world.status(ids[0], "delivered")
        now = world.clock.now()
        ask = partial(add_bulk, who="admin", client_id=None, now=now)
        made = await world.database.write(ask, "retry", which, max(ids))
        await world.database.write(partial(take_bulk, until=now + timedelta(hours=1), now=now), "it died")
        async with world.running(take_over=True):
            over = await ended(world, await world.database.read(get_bulk, made))
            await world.statuses(ids, "delivered")
            assert (over.done, over.refused, dict(over.reasons)) == (2, 1, {"the event was already delivered": 1})


async def test_one_that_was_stopped_does_nothing_more(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        async with world.running():
            world.receiver.default = 400
            ids = await world.send("a", "a1", "a2")
            await world.statuses(ids, "final")
        async with world.running() as consumers:
            made = await asked(world)
            stopped = await consumers.bulk.stop(made.id, client_id=None)
            assert (await ended(world, made)).state in {"stopped", "done"}
            assert stopped.state in {"stopped", "done"}
