"""A person lets a target wait, and lets it go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consuming import World, open_world, word
from wagate.consumers import Consumers, Policy
from wagate.hooks.contracts import Handler, Target
from wagate.inbound.route import Router
from wagate.storage.deliveries.target_list import get_target

pytest_plugins = ("tests.valkey",)

HOUR = 3600.0


async def pause(world: World, consumers: Consumers, name: str = "webhook:w1") -> None:
    row = await world.database.read(get_target, name, world.clock.now())
    await consumers.control.pause(row, by="admin")


async def test_a_paused_target_gets_nothing_and_then_all_in_order(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world, world.running() as consumers:
        (a1,) = await world.send("a", "a1")
        await world.status(a1, "delivered")
        await pause(world, consumers)
        ids = await world.send("a", "a2", "a3")
        (other,) = await world.send("a", "o1", target="w2")
        await world.status(other, "delivered")
        await world.passes(2 * HOUR)
        assert world.receiver.contents(target="w1") == ["a1"]
        row = await world.database.read(get_target, "webhook:w1", world.clock.now())
        assert (row.standing, row.paused_by, row.waiting, row.failed) == ("paused", "admin", 2, 0)
        await consumers.control.resume("webhook:w1")
        await world.statuses(ids, "delivered")
        assert world.receiver.contents(target="w1") == ["a1", "a2", "a3"]
        assert (await world.target()).standing == "up"


async def test_a_pause_outlives_the_process(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        async with world.running() as consumers:
            (a1,) = await world.send("a", "a1")
            await world.status(a1, "delivered")
            await pause(world, consumers)
        async with world.running(take_over=True) as consumers:
            (a2,) = await world.send("a", "a2")
            await world.passes(HOUR)
            assert word(await world.row(a2)) == "pending"
            await consumers.control.resume("webhook:w1")
            await world.status(a2, "delivered")


async def test_nothing_is_given_up_while_its_target_is_paused_and_the_time_to_recover_begins_anew(
    external_url: str, tmp_path: Path
) -> None:
    policy = Policy(recover=HOUR)
    async with open_world(external_url, tmp_path, policy=policy) as world, world.running() as consumers:
        world.receiver.default = 503
        (a1,) = await world.send("a", "a1")
        await world.until_async(lambda: down(world))
        await pause(world, consumers)
        calls = len(world.receiver.calls)
        for _ in range(5):
            await world.passes(HOUR)
        assert (word(await world.row(a1)) in {"pending", "held"}, len(world.receiver.calls)) == (True, calls)
        await consumers.control.resume("webhook:w1")
        await world.calls(calls + 1)
        await world.passes(HOUR / 2)
        assert word(await world.row(a1)) in {"pending", "held"}
        for _ in range(3):
            await world.passes(HOUR / 2)
        await world.status(a1, "final")


@pytest.mark.parametrize("still_down", [True, False])
async def test_what_waited_while_nobody_was_at_work_has_its_time_to_recover_anew(
    external_url: str, tmp_path: Path, *, still_down: bool
) -> None:
    async with open_world(external_url, tmp_path, policy=Policy(recover=HOUR)) as world:
        async with world.running():
            world.receiver.default = 503
            ids = await world.send("a", "a1", "a2")
            await world.until_async(lambda: down(world))
        world.clock.shift(25 * HOUR)
        world.receiver.default = 503 if still_down else 200
        async with world.running(take_over=True):
            if not still_down:
                await world.statuses(ids, "delivered")
                return
            for _ in range(4):
                await world.passes(HOUR / 6)
            assert {word(await world.row(each)) for each in ids} <= {"pending", "held"}
            for _ in range(5):
                await world.passes(HOUR / 6)
            await world.statuses(ids, "final")


async def down(world: World) -> bool:
    await world.passes(120)
    return (await world.target()).down


async def test_jobs_of_a_paused_target_are_not_handed_out(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        world.handlers["n8n"] = Handler(name="n8n", targets=lambda _event: ())
        async with world.running() as consumers:
            jobs = consumers.jobs("n8n")
            made = world.event("a", "a1")
            routes = Router(world.handlers, max_retries=3).routes_to("n8n", [Target(id="t1")], made)
            await world.store(made, routes)
            await pause(world, consumers, "n8n:t1")
            assert await jobs.take(["t1"], wait=0, lease=60) is None
            await consumers.control.resume("n8n:t1")
            assert await jobs.take(["t1"], wait=0, lease=60) is not None


async def test_a_skipped_delivery_goes_to_the_end_of_its_chat(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world, world.running() as consumers:
        world.receiver.by_content["a1"] = [503, 200]
        a1, a2 = await world.send("a", "a1", "a2")
        await world.attempts(a1, 1)
        await consumers.control.skip(a1, client_id=1)
        await world.statuses([a1, a2], "delivered")
        assert world.receiver.contents() == ["a1", "a2", "a1"]
