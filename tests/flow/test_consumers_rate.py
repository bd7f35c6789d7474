"""A target with limits of its own: its rate is waited for, its timeout ends its attempts, nobody else notices."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.consuming import World, open_world, word
from wagate.errors import Retry
from wagate.hooks.contracts import Delivery, Handler, Receipt, TargetLimits

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


class Limited:
    """A receiver that takes so many within a tenth of a second, and then asks to come back (429)."""

    def __init__(self, world: World, most: int, *, after: float | None) -> None:
        self._world, self._most, self._after = world, most, after
        self._window, self._count = 0.0, 0
        self.refused = 0
        self.taken: list[tuple[str, str]] = []

    async def handle(self, delivery: Delivery) -> Receipt:
        now = self._world.clock.monotonic()
        if now - self._window >= 0.1:
            self._window, self._count = now, 0
        self._count += 1
        if self._count > self._most:
            self.refused += 1
            raise Retry("Client error (429)", http_status=429, after=self._after)
        self.taken.append((delivery.event.chat, delivery.event.content))
        return Receipt(http_status=200)


async def test_a_receiver_that_limits_its_rate_gets_everything_in_order(external_url: str, tmp_path: Path) -> None:
    async with open_world(external_url, tmp_path) as world:
        limited = Limited(world, 5, after=0.2)
        world.handlers["webhook"] = Handler(name="webhook", targets=lambda _event: (), handle=limited.handle)
        async with world.running():
            ids = []
            for number in range(200):
                ids += await world.send(f"c{number % 40}", f"m{number:03}")
                await trio.sleep(0.0125)  # eighty a second are offered, fifty are taken
            await world.statuses(ids, "delivered")
        assert [len((await world.row(each)).attempts) > 1 for each in ids].count(True) <= limited.refused
        assert {(await world.row(each)).delivery.attempt_count for each in ids} == {1}
        assert 0 < limited.refused < len(ids) / 2
        for chat in range(40):
            came = [content for name, content in limited.taken if name == f"c{chat}@c.us"]
            assert came == [f"m{number:03}" for number in range(200) if number % 40 == chat]
        assert not (await world.target()).down
