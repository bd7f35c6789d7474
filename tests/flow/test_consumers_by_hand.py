"""Whatever is done to what waits behind a delivery, what is sent is what the tables say, in their order."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.consuming import World, open_world
from wagate.consumers import Consumers
from wagate.storage.deliveries.lanes import Head
from wagate.storage.deliveries.target_list import get_target
from wagate.storage.statement import run
from wagate.testing.rest import at_rest

pytest_plugins = ("tests.valkey",)

ROUNDS = 8
ACTS = ("nothing", "nothing", "cancel", "edit", "fail", "refuse", "pause", "again", "overflow")


class Play:
    """A chat is held up, others come behind, one of them is changed by hand: one round."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world = world
        self.dice = dice
        self.expected: dict[tuple[str, str], list[str]] = {}
        self.refused: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """Lane → (id, content) of what failed permanently."""
        self.remembered = 0

    def watch(self, consumers: Consumers) -> None:
        """Count what is not read a second time."""
        head = consumers._memory.head

        def counted(key: str) -> Head | None:
            found = head(key)
            self.remembered += found is not None
            return found

        consumers._memory.head = counted  # type: ignore[method-assign]

    async def round(self, consumers: Consumers, number: int) -> None:
        lane = chat, target = self.dice.choice("ab"), self.dice.choice(["w1", "w2"])
        gate, first = trio.Event(), f"{number}"
        self.world.receiver.by_content[first] = [gate]
        ids = await self.world.send(chat, first, target=target)
        await self.world.until(lambda: first in self.world.receiver.contents())
        count = self.dice.randint(1, 4)
        async with trio.open_nursery() as nursery:
            for n in range(count):
                nursery.start_soon(partial(self._follow, lane, f"{number}.{n}", ids))
        followers = await self._in_order(ids[1:])
        sent, release = await self._act(consumers, lane, followers)
        gate.set()
        await release()
        for each in ids:
            await self.world.status(each, "delivered", "cancelled", "final")
        self.expected.setdefault(lane, []).extend([first, *sent])
        for (name, place), contents in self.expected.items():
            assert self.world.receiver.contents(chat=name, target=place) == contents

    async def _follow(self, lane: tuple[str, str], content: str, ids: list[str]) -> None:
        ids += await self.world.send(lane[0], content, target=lane[1])

    async def _in_order(self, ids: list[str]) -> list[tuple[str, str]]:
        """(id, content) of each, as the table has them in order."""
        rows = await self.world.sql(
            "SELECT d.id, e.content FROM deliveries d JOIN events e ON e.id = d.event_id ORDER BY d.seq"
        )
        return [(id_, content) for id_, content in rows if id_ in ids]

    async def _act(
        self, consumers: Consumers, lane: tuple[str, str], followers: list[tuple[str, str]]
    ) -> tuple[list[str], Callable[[], Awaitable[object]]]:
        """Do something; what is to be sent behind the first, and what lets it go on."""
        contents = [content for _, content in followers]
        place = self.dice.randrange(len(followers))
        id_, content = followers[place]
        match self.dice.choice(ACTS):
            case "cancel":
                await consumers.control.cancel(id_, client_id=1)
                del contents[place]
            case "edit":
                text = "UPDATE events SET content = ? WHERE id = (SELECT event_id FROM deliveries WHERE id = ?)"
                await self.world.database.write(run, text, (contents[place] + " by hand", id_))
                contents[place] += " by hand"
            case "fail":
                self.world.receiver.by_content[content] = [500, 200]
                contents.insert(place, content)
                return contents, partial(self._wait_for_the_next_try, id_)
            case "refuse":
                self.world.receiver.by_content[content] = [400, 200]
                self.refused.setdefault(lane, []).append((id_, content))
            case "again" if self.refused.get(lane):
                again, said = self.refused[lane].pop()
                await consumers.control.retry(again, client_id=1)
                return [*contents, said], partial(self.world.status, again, "delivered")
            case "pause":
                row = await self.world.database.read(get_target, f"webhook:{lane[1]}", self.world.clock.now())
                await consumers.control.pause(row, by="admin")
                return contents, partial(self._go_on_after_a_pause, consumers, lane)
            case "overflow":
                consumers._consumer._memory.clear()
        return contents, at_rest

    async def _wait_for_the_next_try(self, id_: str) -> None:
        await self.world.attempts(id_, 1)
        await self.world.passes(3600)

    async def _go_on_after_a_pause(self, consumers: Consumers, lane: tuple[str, str]) -> None:
        calls = len(self.world.receiver.calls)
        await at_rest()
        assert len(self.world.receiver.calls) == calls, "nothing while it is paused"
        await consumers.control.resume(f"webhook:{lane[1]}")


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_changed_by_hand_behind_a_delivery_is_sent_as_the_tables_say(
    external_url: str, tmp_path: Path, seed: int
) -> None:
    async with open_world(external_url, tmp_path) as world:
        play = Play(world, random.Random(seed))
        for life in range(2):
            async with world.running(take_over=life > 0) as consumers:
                play.watch(consumers)
                for number in range(ROUNDS):
                    await play.round(consumers, life * ROUNDS + number)
        assert play.remembered, "some were never read"
