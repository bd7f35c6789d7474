"""Several processes: what one is at work on, no other tries; and it ends with the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.consuming import World, open_world
from wagate.clock import Clock
from wagate.errors import Postpone
from wagate.storage.deliveries.lanes import heads

pytest_plugins = ("tests.valkey",)


@pytest.mark.parametrize("chats", [12])
async def test_a_queue_that_forgot_everything_makes_no_repeats_between_two_processes(
    external_url: str, tmp_path: Path, database_url: str, chats: int
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url, shared=True) as world:
        gate = world.receiver.default = trio.Event()
        async with world.running() as one, world.running() as two:
            ids = []
            for number in range(chats):
                ids += await world.send(f"c{number}", f"m{number}a", f"m{number}b")
            await world.calls(chats)
            for _ in range(3):
                await world.queue("push").forget()
                one.sweep()
                two.sweep()
                await world.passes(1.5)
            assert len(world.receiver.calls) == chats
            gate.set()
            for _ in range(3):
                await world.passes(1.5)
            await world.statuses(ids, "delivered")
        assert set(Counter(world.receiver.contents()).values()) == {1}
        for number in range(chats):
            assert world.receiver.contents(f"c{number}") == [f"m{number}a", f"m{number}b"]


@pytest.mark.parametrize(
    "stand_still",
    [
        pytest.param(Clock.shift, id="the process is stopped"),
        pytest.param(Clock.suspend, id="the machine is suspended"),
        pytest.param(Clock.step, id="the virtual machine is paused and its wall clock corrected"),
    ],
)
async def test_after_a_pause_longer_than_the_lease_nothing_is_sent_without_another_look(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_still: Callable[[Clock, float], None]
) -> None:
    async with open_world(external_url, tmp_path) as world:
        looks = _stand_still_after_reading(world, monkeypatch, lambda: stand_still(world.clock, world.lease))
        async with world.running():
            (a1,) = await world.send("a", "a1")
            await world.status(a1, "delivered")
        assert looks() == 2
        assert world.receiver.contents() == ["a1"]


def _stand_still_after_reading(
    world: World, monkeypatch: pytest.MonkeyPatch, stand_still: Callable[[], None]
) -> Callable[[], int]:
    """The process stands still once, between its look into the tables and what it does then; how often it looked."""
    read, count = world.database.read, 0

    async def slowly(function: Any, *args: Any) -> Any:
        nonlocal count
        found = await read(function, *args)
        if getattr(function, "func", None) is heads and found:
            count += 1
            if count == 1:
                stand_still()
        return found

    monkeypatch.setattr(world.database, "read", slowly)
    return lambda: count


async def test_what_was_put_off_is_not_kept_from_the_other_process(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path, shared=True) as world:
        world.receiver.by_content["a1"] = [Postpone("not now", after=5), 200]
        async with world.running():
            (a1,) = await world.send("a", "a1")
            await world.calls(1)
            await world.until_async(lambda: _unclaimed(world, a1))
        async with world.running():
            await world.passes(5.1)
            await world.status(a1, "delivered")


async def _unclaimed(world: World, delivery_id: str) -> bool:
    return (await world.row(delivery_id)).delivery.claimed_by is None


async def test_a_claim_ends_with_its_process(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path, shared=True, lease=1.0) as world:
        world.receiver.by_content["a1"] = [trio.Event(), 200]
        (a1,) = await world.send("a", "a1")
        await _die(world, lambda: world.receiver.contents() == ["a1"])
        assert not await _unclaimed(world, a1)
        async with world.running():
            await world.status(a1, "delivered")
        assert world.receiver.contents() == ["a1", "a1"]


@pytest.mark.parametrize("take_over", [True, False])
async def test_a_kill_during_a_probe_costs_no_wait(external_url: str, tmp_path: Path, *, take_over: bool) -> None:
    async with open_world(external_url, tmp_path, lease=1.0) as world:
        hang = trio.Event()
        world.receiver.by_content["a1"] = [503, 503, 503, hang, 200]
        (a1,) = await world.send("a", "a1")

        async def probed() -> None:
            for number, seconds in ((1, 6.1), (2, 12.1), (3, 16)):
                await world.attempts(a1, number)
                await world.passes(seconds)
            await world.calls(4)

        await _die(world, lambda: len(world.receiver.calls) == 4, probed)
        assert (await world.target()).down
        async with world.running(take_over=take_over):
            await world.status(a1, "delivered")
        assert not (await world.target()).down


async def _die(world: World, ready: Callable[[], bool], before: Callable[[], Any] | None = None) -> None:
    """Run consumers, and end them as a kill does: nothing is given back, nothing is written down."""
    drain, world.drain = world.drain, 0
    with trio.CancelScope() as scope:
        async with world.running() as consumers:
            if before is not None:
                await before()
            await world.until(ready)

            async def nothing(*_: Any) -> int:
                return 0

            consumers._queues.push.release = nothing  # type: ignore[method-assign]
            consumers._consumer._ended = nothing  # type: ignore[assignment]
            scope.cancel()
    world.drain = drain
