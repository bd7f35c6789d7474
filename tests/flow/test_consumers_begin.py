"""What was just stored begins at once when nothing is before it; the queue hears of it only if it takes long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.consuming import World, open_world
from wagate.consumers import Consumers
from wagate.errors import Postpone
from wagate.queue.queue import Queue
from wagate.queue.results import Doorbell, Pumped

pytest_plugins = ("tests.valkey",)


class Site:
    """A world whose queue notes what it is rung for; chat ``a`` is known (`wagate.consumers.memory`)."""

    def __init__(self, world: World, consumers: Consumers, rung: list[str]) -> None:
        self.world = world
        self.consumers = consumers
        self.rung = rung
        """Ids of the deliveries that pumps rang for."""


async def know(world: World) -> None:
    """Have the target read with the first delivery, the chat followed from the second on."""
    for content in ("a1", "a2"):
        (each,) = await world.send("a", content)
        await world.status(each, "delivered")
    consumers = world.consumers
    assert consumers is not None
    await world.until(lambda: not consumers._pool and consumers._consumer.told)


@asynccontextmanager
async def known(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    rung: list[str] = []
    pump = Queue.pump

    async def noting(self: Queue, *args: Any, bells: Sequence[Doorbell] = (), **options: Any) -> Pumped:
        rung.extend(bell.id for bell in bells)
        return await pump(self, *args, bells=bells, **options)

    monkeypatch.setattr(Queue, "pump", noting)
    async with open_world(url, folder) as world, world.running() as consumers:
        await know(world)
        yield Site(world, consumers, rung)


async def test_the_queue_never_hears_of_what_is_done_soon(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute: on a busy machine 20 ms are over before the answer is there.
    monkeypatch.setattr("wagate.consumers.queues.LATE", 60.0)
    async with known(external_url, tmp_path, monkeypatch) as site:
        assert len(site.rung) == 2
        for content in ("a3", "a4", "a5"):
            (each,) = await site.world.send("a", content)
            await site.world.status(each, "delivered")
            await site.world.until(lambda: not site.consumers._pool)
        assert len(site.rung) == 2
        assert site.world.receiver.contents("a") == ["a1", "a2", "a3", "a4", "a5"]
        stats = await site.consumers.stats()
        assert (stats.depth, stats.ready, stats.active) == (0, 0, 0)


async def test_the_queue_hears_of_what_takes_long_and_what_comes_after_it_waits(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with known(external_url, tmp_path, monkeypatch) as site:
        gate = trio.Event()
        site.world.receiver.by_content["a3"] = [gate]
        (a3,) = await site.world.send("a", "a3")
        await site.world.until(lambda: a3 in site.rung)
        await site.world.until(lambda: all(hand.token for hand in site.consumers._pool._hands.values()))
        assert (await site.consumers.stats()).active == 1
        a4, a5 = await site.world.send("a", "a4", "a5")
        await site.world.until(lambda: a5 in site.rung)
        assert site.world.receiver.contents("a") == ["a1", "a2", "a3"]
        gate.set()
        await site.world.statuses([a3, a4, a5], "delivered")
        assert site.world.receiver.contents("a") == ["a1", "a2", "a3", "a4", "a5"]


async def test_what_comes_after_it_in_its_chat_is_rung_for_behind_it(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.consumers.queues.LATE", 60.0)
    async with known(external_url, tmp_path, monkeypatch) as site:
        gate = trio.Event()
        site.world.receiver.by_content["a3"] = [gate]
        (a3,) = await site.world.send("a", "a3")
        await site.world.calls(3)
        assert a3 not in site.rung
        (a4,) = await site.world.send("a", "a4")
        await site.world.until(lambda: a4 in site.rung)
        assert site.rung[2:] == [a3, a4]
        gate.set()
        await site.world.statuses([a3, a4], "delivered")
        assert site.world.receiver.contents("a") == ["a1", "a2", "a3", "a4"]


async def test_what_is_put_off_waits_as_long_as_it_was_put_off(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with known(external_url, tmp_path, monkeypatch) as site:
        site.world.receiver.by_content["a3"] = [Postpone("not now", after=60), 200]
        (a3,) = await site.world.send("a", "a3")
        await site.world.calls(3)
        consumer = site.consumers._consumer
        await site.world.until(lambda: not site.consumers._pool and consumer.told)
        assert (await site.consumers.stats()).backoff == 1
        await site.world.passes(55)
        assert len(site.world.receiver.calls) == 3
        await site.world.passes(6)
        await site.world.status(a3, "delivered")
        assert site.world.receiver.contents("a") == ["a1", "a2", "a3", "a3"]


async def test_what_was_begun_when_the_process_ends_is_tried_by_the_next(
    external_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.consumers.queues.LATE", 60.0)
    async with open_world(external_url, tmp_path, drain=0.0) as world:
        async with world.running() as consumers:
            await know(world)
            world.receiver.by_content["a3"] = [trio.Event(), 200]
            (a3,) = await world.send("a", "a3")
            await world.calls(3)
            assert (await consumers.stats()).active == 0
        async with world.running(take_over=True):
            await world.status(a3, "delivered")
        assert world.receiver.contents("a") == ["a1", "a2", "a3", "a3"]
