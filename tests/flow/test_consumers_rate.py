"""A target with limits of its own: its rate is waited for, its timeout ends its attempts, nobody else notices."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.consuming import World, open_world, word
from wagate.hooks.contracts import Handler, TargetLimits

pytest_plugins = ("tests.valkey",)

SLOW = 20_000.0
"""Seconds between two attempts: five are longer than ``delivery.recover``."""


def limit(world: World, **limits: float) -> None:
    """Give the target w1 limits of its own."""
    own = TargetLimits(**limits)  # type: ignore[arg-type]
    world.handlers["webhook"] = Handler(
        name="webhook",
        targets=lambda _event: (),
        handle=world.receiver.handle,
        limits=lambda target: own if target == "w1" else TargetLimits(),
    )


async def test_a_rate_is_waited_for_in_order_without_slots_and_without_attempts(
    external_url: str, tmp_path: Path, database_url: str
) -> None:
    async with open_world(external_url, tmp_path, database_url=database_url) as world:
        limit(world, rate=1 / SLOW)
        async with world.running() as consumers:
            a = await world.send("a", "a1", "a2", "a3")
            b = await world.send("b", "b1", "b2", "b3")
            await world.calls(1)
            others = [(await world.send(f"c{number}", f"q{number}", target="w2"))[0] for number in range(9)]
            await world.statuses(others, "delivered")
            await world.until(lambda: not consumers._pool)
            for came in range(1, 7):
                await world.calls(len(others) + came)
                waiting = [each for each in (*a, *b) if word(await world.row(each)) != "delivered"]
                if came < 6:
                    await world.passes(SLOW - 60)
                    assert len(world.receiver.calls) == len(others) + came
                    assert len(waiting) >= 6 - came
                    await world.passes(61)
            await world.statuses([*a, *b], "delivered")
        for chat in "ab":
            assert world.receiver.contents(chat) == [f"{chat}{number}" for number in (1, 2, 3)]
        for each in (*a, *b):
            detail = await world.row(each)
            assert (detail.delivery.attempt_count, len(detail.attempts)) == (1, 1)


async def test_a_retry_waits_for_its_turn_too(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        limit(world, rate=1 / SLOW)
        world.receiver.by_content["a1"] = [500, 200]
        async with world.running():
            (a1,) = await world.send("a", "a1")
            await world.attempts(a1, 1)
            await world.passes(600)
            assert world.receiver.contents() == ["a1"]
            await world.passes(SLOW)
            await world.status(a1, "delivered")


async def test_a_burst_goes_at_once(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        limit(world, rate=1 / SLOW, burst=5)
        async with world.running():
            for number in range(9):
                await world.send(f"c{number}", f"m{number}")
            await world.calls(5)
            await world.passes(60)
            assert len(world.receiver.calls) == 5
            await world.passes(SLOW)
            await world.calls(6)


async def test_two_processes_share_a_rate(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        limit(world, rate=1 / SLOW, burst=4)
        async with world.running() as one, world.running() as two:
            await world.passes(world.lease / 3 + 0.1)
            await world.until(lambda: one._rates._processes == two._rates._processes == 2)


async def test_a_target_has_its_own_timeout(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        limit(world, timeout=0.05)
        gate = trio.Event()
        world.receiver.by_content["a1"] = [gate]
        world.receiver.by_content["b1"] = [gate]
        async with world.running():
            (b1,) = await world.send("b", "b1", target="w2")
            (a1,) = await world.send("a", "a1")
            detail = await world.status(a1, "waiting")
            assert detail.delivery.error == "Connection timeout: no answer within 0.05 s"
            assert word(await world.row(b1)) in {"pending", "delivering"}
            gate.set()
            await world.status(b1, "delivered")
