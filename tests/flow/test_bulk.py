"""Acts on all deliveries that match: in order, up to a moment, over restarts, stopped, and what was refused."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import peewee
import pytest

from tests.consuming import World, open_world
from wagate.consumers import bulk as bulk_module
from wagate.errors import ConflictError, NotFoundError, StorageError
from wagate.rules.filters import DeliveryFilter
from wagate.storage.database import open_database
from wagate.storage.deliveries.bulk import (
    MOST_RUNNING,
    Bulk,
    add_bulk,
    count_matching,
    get_bulk,
    list_refused,
    next_slice,
    note_slice,
    stop_bulk,
    take_bulk,
)

pytest_plugins = ("tests.valkey",)

FAILED = DeliveryFilter(handler="webhook", target="w1", status="failed")


async def asked(
    world: World, verb: str = "retry", which: DeliveryFilter = FAILED, client_id: int | None = None
) -> Bulk:
    assert world.consumers is not None
    count, newest = await world.database.read(count_matching, which, client_id=client_id)
    return await world.consumers.bulk.start(
        verb,  # type: ignore[arg-type]
        which,
        until=newest,
        total=count,
        who="admin",
        client_id=client_id,
    )


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
        made = await consumers.bulk.start("retry", FAILED, until=newest, total=1, who="acme", client_id=1)
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
        ask = partial(add_bulk, total=3, who="admin", client_id=None, now=now)
        made = await world.database.write(ask, "retry", which, max(ids))
        await world.database.write(partial(take_bulk, until=now + timedelta(hours=1), now=now), "it died")
        async with world.running(take_over=True):
            over = await ended(world, await world.database.read(get_bulk, made))
            await world.statuses(ids, "delivered")
            assert (over.done, over.refused, dict(over.reasons)) == (2, 1, {"the event was already delivered": 1})
    async with open_database("", tmp_path) as database:
        listed = await database.browse(list_refused, made, client_id=None, limit=9)
        assert [(each.id, each.reason, each.target) for each in listed.data] == [
            (ids[0], "the event was already delivered", "webhook:w1")
        ]
        with pytest.raises(NotFoundError):
            await database.browse(list_refused, made, client_id=1, limit=9)


async def test_a_filter_that_reads_too_much_holds_up_no_others_act(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def took_too_long(db: peewee.Database, bulk: Bulk, limit: int) -> list[str]:
        if bulk.client_id == 2:
            raise StorageError("the read took too long")
        return next_slice(db, bulk, limit)

    monkeypatch.setattr(bulk_module, "next_slice", took_too_long)
    async with open_world(external_url, tmp_path) as world, world.running():
        world.receiver.default = 400
        ids = await world.send("a", "a1", "a2")
        await world.statuses(ids, "final")
        await asked(world, which=DeliveryFilter(error="x"), client_id=2)
        assert (await ended(world, await asked(world, client_id=1))).done == 2


async def test_all_take_turns_and_one_client_has_so_many_at_most(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        now = world.clock.now()
        ask = partial(add_bulk, total=1, who="a", now=now)
        long = [
            await world.database.write(partial(ask, client_id=1), "retry", FAILED, "f") for _ in range(MOST_RUNNING)
        ]
        with pytest.raises(ConflictError, match="already running"):
            await world.database.write(partial(ask, client_id=1), "retry", FAILED, "f")
        other = await world.database.write(partial(ask, client_id=2), "retry", FAILED, "f")
        taken: list[str] = []
        for number in range(2 * len(long)):
            moment = now + timedelta(seconds=number + 1)
            one = await world.database.write(partial(take_bulk, until=moment, now=moment), "us")
            assert one is not None
            taken.append(one.id)
            note = partial(note_slice, after="", done=500, refused={}, over=False, now=moment)
            await world.database.write(note, one)
        assert other in taken[: len(long) + 1]
        assert len(set(taken)) == len(long) + 1


async def test_one_that_was_stopped_does_nothing_more(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        async with world.running():
            world.receiver.default = 400
            ids = await world.send("a", "a1", "a2")
            await world.statuses(ids, "final")
        now, calls = world.clock.now(), len(world.receiver.calls)
        ask = partial(add_bulk, who="admin", client_id=None, total=2, now=now)
        made = await world.database.write(ask, "retry", FAILED, max(ids))
        stopped = await world.database.write(partial(stop_bulk, client_id=None, now=now), made)
        assert (stopped.state, stopped.done) == ("stopped", 0)
        async with world.running():
            await world.passes(60)
        over = await world.database.read(get_bulk, made)
        assert (over.state, over.done, len(world.receiver.calls)) == ("stopped", 0, calls)
        for each in ids:
            await world.status(each, "final")
