"""Redis goes away and comes back, with or without what it knew; nobody has to restart anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.consuming import open_world
from tests.valkey import external_valkey
from wagate.consumers import Policy, clock_steps
from wagate.errors import Postpone, QueueError, Retry, StorageError
from wagate.storage.deliveries.ends import owed
from wagate.storage.deliveries.lanes import heads

pytest_plugins = ("tests.valkey",)


async def test_consumers_go_on_after_redis_restarted_empty(tmp_path: Path, short_folder: Path) -> None:
    # A socket file: a port that is free for a moment may be somebody else's in the next.
    place = short_folder / "valkey.sock"
    server = external_valkey("--unixsocket", str(place))
    server.__enter__()
    try:
        async with open_world(f"unix://{place}", tmp_path) as world, world.running():
            gate = world.receiver.by_content["a1"] = [trio.Event()]
            before = await world.send("a", "a1", "a2")
            await world.calls(1)
            server.__exit__(None, None, None)
            # Stored while Redis is away: the tables know.
            during = await world.send("b", "b1", "b2")
            running = gate[0]
            assert isinstance(running, trio.Event)
            running.set()
            await world.status(before[0], "delivered")
            server = external_valkey("--unixsocket", str(place))
            server.__enter__()
            await world.statuses([*before, *during], "delivered")
            (after,) = await world.send("c", "c1")
            await world.status(after, "delivered")
            assert world.receiver.contents("a") == ["a1", "a2"]
            assert world.receiver.contents("b") == ["b1", "b2"]
    finally:
        server.__exit__(None, None, None)


async def test_what_was_rung_for_in_vain_behind_one_in_hand_goes_on_when_that_is_done(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(external_url, tmp_path) as world, world.running() as consumers:
        queue, refused = consumers._queues.push, trio.Event()
        pump = queue.pump
        gate = trio.Event()
        world.receiver.by_content["a1"] = [gate]
        first = await world.send("a", "a1")
        await world.calls(1)

        async def away(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("bells") and not refused.is_set():
                refused.set()
                raise QueueError("gone for a moment")
            return await pump(*args, **kwargs)

        monkeypatch.setattr(queue, "pump", away)
        behind = await world.send("a", "a2")
        with trio.fail_after(60):
            await refused.wait()
        # The sweep that follows finds the key in hand, and passes over it.
        (other,) = await world.send("b", "b1")
        await world.status(other, "delivered")
        began = world.clock.monotonic()
        gate.set()
        await world.statuses([*first, *behind], "delivered")
        assert world.clock.monotonic() - began < 10, "it waited for another sweep"


async def test_keys_wait_while_their_rows_cannot_be_read(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(external_url, tmp_path) as world:
        read, refused = world.database.read, []

        async def failing(fn: object, *args: object, **kwargs: object) -> object:
            if getattr(fn, "func", None) is heads and len(refused) < 2:
                refused.append(args)
                raise StorageError("disk gone")
            return await read(fn, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(world.database, "read", failing)
        async with world.running():
            a = await world.send("a", "a1", "a2")
            await world.until(lambda: len(refused) >= 1)
            await world.passes(2.1)
            await world.until(lambda: len(refused) == 2)
            await world.passes(2.1)
            await world.statuses(a, "delivered")
        assert world.receiver.contents() == ["a1", "a2"]


async def test_nothing_is_given_up_between_the_return_of_redis_and_the_time_that_is_given_for_it(
    external_url: str, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(recover=3600.0)
    async with open_world(external_url, tmp_path, database_url=database_url, policy=policy) as world:
        world.receiver.by_target = {
            "w1": Postpone("waits for its turn", after=60, slow=True),
            "w2": Retry("not connected", after=60, down=True),
        }
        async with world.running() as consumers:
            limited = [(await world.send(f"c{number}", f"c{number}"))[0] for number in range(6)]
            (down,) = await world.send("d", "d", target="w2")
            await world.status(down, "waiting")
            await world.calls(2)
            await world.until(lambda: not consumers._pool and consumers._consumer.told)

            async def away(*_args: Any, **_options: Any) -> None:
                raise QueueError("gone for two hours")

            def refused(*_args: object) -> None:
                raise StorageError("not yet")

            push = consumers._queues.push
            asks = {"pump": push.pump, "clear_overflow": push.clear_overflow}
            for name in asks:
                monkeypatch.setattr(push, name, away)
            await world.passes(7200)
            asked = len(world.receiver.calls)
            monkeypatch.setattr(clock_steps, "move_ends", refused)
            for name, ask in asks.items():
                monkeypatch.setattr(push, name, ask)
            for _ in range(8):
                await world.passes(31)
            assert {each.target for each in world.receiver.calls[asked:]} == {"w1", "w2"}
            assert await world.database.read(owed)
            assert await world.sql("SELECT DISTINCT settled FROM deliveries") in ([(0,)], [(False,)])
            monkeypatch.undo()
            world.receiver.by_target.clear()
            for _ in range(8):
                await world.passes(61)
            await world.statuses([*limited, down], "delivered")
