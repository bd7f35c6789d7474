"""Workers that die, queues that forget, databases that are away, and stops under load."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.consuming import PATIENCE, World, open_world, word
from tests.rows import id_of
from wagate.consumers.spool import NAME
from wagate.errors import Retry, StorageError
from wagate.queue.queue import STEADY
from wagate.queue.results import DeadWorker, Doorbell
from wagate.rules.admit import BURIED
from wagate.rules.filters import DeliveryFilter
from wagate.storage.deliveries.outcomes import record
from wagate.storage.events.listing import list_deliveries
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


async def kill(world: World, *, want: int) -> list[str]:
    """A worker takes so many keys, and dies; which."""
    queue, other = world.queue("push"), world.queue("push")
    await world.passes(STEADY)
    taken = (await other.pump([], want=want)).taken
    beat = (await other.workers())[other.worker]
    assert await queue.reap(DeadWorker(name=other.worker, heartbeat=beat)) == len(taken)
    return [each.key for each in taken]


async def test_a_delivery_that_seems_to_kill_waits_for_somebody_and_is_never_lost(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world:
        a1, a2 = await world.send("a", "a1", "a2")
        key = f"webhook:w1|{id_of('main')}|a@c.us"
        await world.queue("push").enqueue([Doorbell(key=key, target="webhook:w1", id=a1)])
        for _ in range(3):
            assert await kill(world, want=1) == [key]
        async with world.running() as consumers:
            (b1,) = await world.send("b", "b1")
            await world.status(b1, "delivered")
            await world.until_async(lambda: _stuck(world, a1))
            detail = await world.row(a1)
            assert detail.delivery.error == BURIED
            assert (detail.delivery.settled, detail.delivery.attempt_count) == (False, 0)
            found = await world.database.read(list_deliveries, DeliveryFilter(stuck=True), limit=9)
            assert [each.delivery.id for each in found.data] == [a1]
            for _ in range(3):
                await world.passes(20 * 3600)
            assert await _stuck(world, a1)
            assert word(await world.row(a2)) == "pending"
            await consumers.control.retry(a1, client_id=1)
            await world.statuses([a1, a2], "delivered")
        assert world.receiver.contents("a") == ["a1", "a2"]


async def _stuck(world: World, delivery_id: str) -> bool:
    return (await world.row(delivery_id)).delivery.stuck


async def test_cancelled_by_hand_it_lets_its_chat_go_on(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        a1, a2 = await world.send("a", "a1", "a2")
        await world.queue("push").enqueue(
            [Doorbell(key=f"webhook:w1|{id_of('main')}|a@c.us", target="webhook:w1", id=a1)]
        )
        for _ in range(3):
            await kill(world, want=1)
        async with world.running() as consumers:
            await world.until_async(lambda: _stuck(world, a1))
            await consumers.control.cancel(a1, client_id=1)
            await world.status(a2, "delivered")
        assert world.receiver.contents() == ["a2"]


async def test_kills_with_several_in_flight_count_against_none_of_them(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        ids = [(await world.send(chat, chat))[0] for chat in "abcdefgh"]
        bells = [
            Doorbell(key=f"webhook:w1|{id_of('main')}|{chat}@c.us", target="webhook:w1", id=each)
            for chat, each in zip("abcdefgh", ids, strict=True)
        ]
        await world.queue("push").enqueue(bells)
        for _ in range(6):
            assert await kill(world, want=8)
        async with world.running():
            for _ in range(30):
                await world.passes(STEADY)
            await world.statuses(ids, "delivered")
        assert sorted(world.receiver.contents()) == sorted("abcdefgh")


async def test_one_that_several_dead_processes_held_is_tried_with_nothing_else_in_hand(
    external_url: str, tmp_path: Path
) -> None:
    async with open_world(external_url, tmp_path) as world:
        (a1,) = await world.send("a", "a1")
        (b1,) = await world.send("b", "b1")
        bells = [
            Doorbell(key=f"webhook:w1|{id_of('main')}|{chat}@c.us", target="webhook:w1", id=each)
            for chat, each in (("a", a1), ("b", b1))
        ]
        await world.queue("push").enqueue(bells[:1])
        await world.queue("push").enqueue(bells[1:])
        for _ in range(4):
            await kill(world, want=2)
        gates = {chat: trio.Event() for chat in "xab"}
        world.receiver.by_content |= {"x1": [gates["x"]], "a1": [gates["a"]], "b1": [gates["b"]]}
        async with world.running() as consumers:
            (x1,) = await world.send("x", "x1")
            await world.calls(1)
            await world.passes(STEADY)
            await world.until(lambda: consumers._consumer._taker.quiet)
            (y1,) = await world.send("y", "y1")
            await world.passes(0.1)
            assert world.receiver.contents() == ["x1"]
            gates["x"].set()
            await world.calls(2)
            assert len(consumers._pool) == 1
            assert word(await world.row(y1)) == "pending"
            gates["a"].set()
            gates["b"].set()
            await world.status(x1, "delivered")
            for _ in range(10):
                await world.passes(1.1)
            await world.statuses([a1, b1, y1], "delivered")


async def test_a_process_takes_suspects_only_when_it_has_lived_for_a_while(
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
                Doorbell(key=f"webhook:w1|{id_of('main')}|{chat}@c.us", target="webhook:w1", id=each)
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
            await world.calls(4)
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


@pytest.mark.parametrize("kept", [True, False])
async def test_a_stop_while_the_database_takes_nothing_repeats_nothing_or_says_so(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    async with open_world(external_url, tmp_path, drain=0, spool=tmp_path if kept else None) as world:
        write_bulk = world.database.write_bulk
        refused: list[Any] = []

        async def locked(fn: Any, item: Any) -> Any:
            if fn is record:
                refused.append(item)
                raise StorageError("locked")
            return await write_bulk(fn, item)

        with monkeypatch.context() as patched:
            patched.setattr(world.database, "write_bulk", locked)
            with nullcontext() if kept else pytest.raises(StorageError, match="2 deliveries were made"):
                async with world.running():
                    ids = [(await world.send(chat, chat))[0] for chat in "ab"]
                    await world.until(lambda: len(refused) >= 4)
        assert (tmp_path / NAME).exists() is kept
        async with world.running():
            await world.statuses(ids, "delivered")
        assert sorted(world.receiver.contents()) == (["a", "b"] if kept else ["a", "a", "b", "b"])
        assert [len((await world.row(each)).attempts) for each in ids] == [1, 1]
        assert not (tmp_path / NAME).exists()


async def test_an_event_that_could_not_be_routed_is_routed_later(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        router, broken = world.cannot_route("w1", "w2")
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
