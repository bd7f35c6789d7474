"""Workers that die, queues that forget, databases that are away, and stops under load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.consuming import PATIENCE, World, open_world
from wagate.errors import Retry, StorageError
from wagate.hooks.contracts import Handler, Target
from wagate.inbound.route import Router
from wagate.queue.queue import STEADY
from wagate.queue.results import DeadWorker, Doorbell
from wagate.storage.deliveries.outcomes import record
from wagate.storage.statement import run

pytest_plugins = ("tests.valkey",)


async def die(world: World, begun: trio.Event, ready: Callable[[], bool]) -> None:
    """Run consumers, and end them without a drain or a release as soon as they hold something."""
    with trio.CancelScope() as scope:
        async with world.running() as consumers:
            begun.set()
            await world.until(ready)
            queue = consumers._queues.push

            async def silent() -> int:
                return 0

            queue.release = silent  # type: ignore[method-assign]
            world.drain = 0
            scope.cancel()


async def test_what_a_dead_worker_held_is_taken_over_and_its_late_outcome_does_not_count(
    external_url: str, tmp_path: Path
) -> None:
    async with open_world(external_url, tmp_path, lease=1.0, drain=0) as world:
        hang = trio.Event()
        world.receiver.by_content["a1"] = [hang, 200]
        a1, a2 = await world.send("a", "a1", "a2")
        await die(world, trio.Event(), lambda: world.receiver.contents() == ["a1"])
        assert (await world.row(a2)).delivery.attempt_count == 0
        async with world.running():
            await world.statuses([a1, a2], "delivered")
        assert world.receiver.contents() == ["a1", "a1", "a2"]
        assert len((await world.row(a1)).attempts) == 1


async def test_a_zombies_outcome_does_not_overwrite(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world, world.running():
        hang = trio.Event()
        world.receiver.by_content["a1"] = [hang]
        a1, a2 = await world.send("a", "a1", "a2")
        await world.calls(1)
        # Another worker tried it meanwhile, and failed.
        await world.database.write(
            run, "UPDATE deliveries SET attempt_count = 1, error = 'Server error (500)' WHERE id = ?", (a1,)
        )
        world.receiver.by_content["a1"] = [200]
        hang.set()
        detail = await world.status(a1, "delivered")
        await world.status(a2, "delivered")
        assert detail.delivery.attempt_count == 2
        assert len(detail.attempts) == 1
        assert world.receiver.contents() == ["a1", "a1", "a2"]


async def test_a_delivery_whose_workers_die_five_times_is_buried(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        a1, a2 = await world.send("a", "a1", "a2")
        queue, key = world.queue("push"), "webhook:w1|main|a@c.us"
        async with world.running():
            await world.statuses([a1, a2], "delivered")
        b1, b2 = await world.send("a", "b1", "b2")
        await queue.enqueue([Doorbell(key=key, target="webhook:w1", id=b1)])
        for _ in range(5):
            other = world.queue("push")
            await world.passes(STEADY)
            assert len((await other.pump([], want=1)).taken) == 1
            beat = (await other.workers())[other.worker]
            assert await queue.reap(DeadWorker(name=other.worker, heartbeat=beat)) == 1
        async with world.running():
            detail = await world.status(b1, "final")
            await world.status(b2, "delivered")
        assert detail.delivery.error == "worker died 5 times while delivering this"
        assert "b1" not in world.receiver.contents()


async def test_suspects_are_tried_one_at_a_time_so_that_innocent_ones_are_cleared(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute instead of 3 s: it must not be over by itself.
    monkeypatch.setattr("wagate.queue.queue.STEADY", 60.0)
    async with open_world(external_url, tmp_path) as world:
        gate = world.receiver.default = trio.Event()
        ids = [(await world.send(chat, chat))[0] for chat in "abc"]
        queue = world.queue("push")
        await queue.enqueue(
            [
                Doorbell(key=f"webhook:w1|main|{chat}@c.us", target="webhook:w1", id=each)
                for chat, each in zip("abc", ids, strict=True)
            ]
        )
        for _ in range(2):
            other = world.queue("push")
            assert len((await other.pump([], want=3)).taken) == 3
            assert await queue.release_all_workers(died=True) == 3
        async with world.running():
            (fresh,) = await world.send("d", "d")
            await world.calls(1)
            assert world.receiver.contents() == ["d"]
            await world.passes(60)
            await world.calls(2)
            await world.passes(1.1)
            assert world.receiver.now["w1"] == 2
            gate.set()
            await world.status(fresh, "delivered")
            await world.statuses(ids, "delivered")


async def test_what_a_dead_process_held_is_taken_over_at_the_next_start(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        world.receiver.by_content["a1"] = [trio.Event(), 200]
        a1, a2 = await world.send("a", "a1", "a2")
        world.drain = 0
        await die(world, trio.Event(), lambda: world.receiver.contents() == ["a1"])
        assert (await world.queue("push").stats()).active == 1
        async with world.running(take_over=True):
            await world.statuses([a1, a2], "delivered")


async def test_a_queue_that_forgets_everything_is_filled_from_the_tables(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world, world.running() as consumers:
        hang = trio.Event()
        world.receiver.by_content["a1"] = [hang]
        world.receiver.by_content["b1"] = [Retry("Server error (500)", after=600), 200]
        a = await world.send("a", "a1", "a2", "a3")
        b = await world.send("b", "b1", "b2")
        await world.status(b[0], "waiting")
        await world.calls(2)
        await consumers._queues.push.forget()
        consumers.sweep()
        (c1,) = await world.send("c", "c1")
        await world.status(c1, "delivered")
        hang.set()
        await world.statuses(a, "delivered")
        assert world.receiver.contents("a") == ["a1", "a2", "a3"]
        # What waits for its next try is not sent early, though the queue forgot when that is.
        assert world.receiver.contents("b") == ["b1"]
        await world.passes(601)
        await world.statuses(b, "delivered")
        assert world.receiver.contents("b") == ["b1", "b1", "b2"]


async def test_what_was_stored_while_redis_was_away_is_delivered_after(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        ids = [(await world.send(f"c{number % 7}", f"m{number}"))[0] for number in range(50)]
        async with world.running():
            await world.statuses(ids, "delivered")
        for chat in range(7):
            assert world.receiver.contents(f"c{chat}") == [f"m{n}" for n in range(50) if n % 7 == chat]


async def test_a_full_queue_delivers_everything_in_order(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path, max_depth=10) as world, world.running():
        ids = []
        for number in range(60):
            ids += await world.send(f"c{number % 20}", f"m{number}")
        await world.statuses(ids, "delivered")
        for chat in range(20):
            assert world.receiver.contents(f"c{chat}") == [f"m{n}" for n in range(60) if n % 20 == chat]


async def test_a_stop_waits_for_running_handlers_and_loses_nothing(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path, concurrency=8) as world:
        gate = trio.Event()
        world.receiver.default = gate
        async with world.running():
            ids = [(await world.send(f"c{number}", f"m{number}"))[0] for number in range(20)]
            await world.calls(4)
            begun = len(world.receiver.calls)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_open_later, gate)
        assert all(count == 0 for count in world.receiver.now.values())
        begun = len(world.receiver.calls)
        assert [(await world.row(each)).delivery.status for each in ids].count("delivered") == begun
        world.receiver.default = 200
        async with world.running():
            await world.statuses(ids, "delivered")
        assert sorted(world.receiver.contents()) == sorted(f"m{number}" for number in range(20))


async def _open_later(gate: trio.Event) -> None:
    await trio.lowlevel.checkpoint()
    gate.set()


async def test_what_is_not_done_when_the_drain_ends_is_tried_again_at_the_next_start(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.consumers.consume.LAST_CALL", 60.0)
    async with open_world(external_url, tmp_path, drain=0.1) as world:
        world.receiver.by_content["a1"] = [trio.Event(), 200]
        async with world.running():
            a1, a2 = await world.send("a", "a1", "a2")
            await world.status(a1, "delivering")
        assert (await world.row(a1)).delivery.status == "pending"
        async with world.running():
            await world.statuses([a1, a2], "delivered")
        assert world.receiver.contents() == ["a1", "a1", "a2"]


async def test_an_outcome_is_kept_until_the_database_takes_it(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(external_url, tmp_path) as world:
        write_bulk = world.database.write_bulk
        refused: list[Any] = []
        full = True

        async def failing(fn: Any, item: Any) -> Any:
            if fn is record and full:
                refused.append(item)
                raise StorageError("the disk is full")
            return await write_bulk(fn, item)

        monkeypatch.setattr(world.database, "write_bulk", failing)
        async with world.running():
            a1, a2 = await world.send("a", "a1", "a2")
            await world.until(lambda: len(refused) >= 3)
            assert (await world.row(a1)).delivery.status != "delivered"
            full = False
            await world.statuses([a1, a2], "delivered")
        assert world.receiver.contents() == ["a1", "a2"]


async def test_an_event_that_could_not_be_routed_is_routed_later(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        broken = [True]

        def targets(_event: object) -> list[Target]:
            if broken:
                raise LookupError("snapshot not ready")
            return [Target(id="w1"), Target(id="w2")]

        world.handlers["webhook"] = Handler(name="webhook", targets=targets, handle=world.receiver.handle)
        router = Router(world.handlers, max_retries=3)
        async with world.running():
            made = world.event("a", "a1")
            unrouted = await world.store(made, router.routes(made))
            detail = await world.attempts(unrouted, 1)
            assert detail.delivery.error == "routing failed: LookupError"
            broken.clear()
            await world.passes(6.1)
            await world.calls(2)
            assert {(each.target, each.content) for each in world.receiver.calls} == {("w1", "a1"), ("w2", "a1")}
            detail = await world.status(unrouted, "cancelled")
            assert detail.delivery.error == "routed"


async def test_deliveries_of_a_plugin_that_is_not_enabled_wait_untouched(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        ids = await world.send("a", "a1", "a2")
        enabled, world.handlers = world.handlers, {}
        async with world.running() as consumers:
            with trio.fail_after(PATIENCE):
                while (await consumers.stats()).parked == 0:
                    await trio.lowlevel.checkpoint()
        assert [(await world.row(each)).delivery.status for each in ids] == ["pending", "pending"]
        world.handlers = enabled
        async with world.running():
            await world.statuses(ids, "delivered")
