"""All who watch a page share one look: what it reads, what each is shown of it, and who is signed in still."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from wagate.clock import Clock
from wagate.hooks.contracts import Identity
from wagate.storage.deliveries.survey import Glance, Totals
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.events.listing import ShownDelivery, shown_deliveries
from wagate.web.ui.deliveries import FIELDS
from wagate.web.ui.shared_look import EVERY, SharedLook, Watched
from wagate.web.ui.signin import Viewer

OURS, THEIRS = 1, 2
TARGETS = {"webhook:ours": OURS, "webhook:theirs": THEIRS}
DELIVERIES = {"d-ours": OURS, "d-theirs": THEIRS}


class World:
    """The parts that a look asks, and what they were asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[object] = []
        self.status = "pending"
        self.signed_in = {"cookie"}
        self.shared = SharedLook(cast("Any", self))
        self.targets = SimpleNamespace(glance=self.glance)
        self.database = SimpleNamespace(browse=self.browse)
        self.signins = SimpleNamespace(lasting=self.lasting)
        self.now = self.clock.now
        self.recover = 0.0

    async def glance(self, ids: Collection[str], clients: Sequence[int]) -> Glance:
        self.asked.append((sorted(ids), sorted(clients)))
        named = {each: TargetRow(id=each, client_id=TARGETS[each], name=each) for each in ids if each in TARGETS}
        return Glance(totals={None: Totals()}, named=named, urgent=[])

    async def browse(self, fn: Callable[..., Any], ids: Sequence[str], *_: object, **__: object) -> Any:
        await trio.testing.wait_all_tasks_blocked()  # A database takes its time, in which others ask.
        if fn is not shown_deliveries:
            self.asked.append("newer")
            return 3
        self.asked.append(ids)
        found = {
            each: ShownDelivery(
                id=each, client_id=DELIVERIES[each], status=self.status, stuck=False, attempt_count=0, max_retries=3
            )
            for each in ids
            if each in DELIVERIES
        }
        return found, "d-9"

    async def lasting(self, viewers: Iterable[Viewer]) -> set[str]:
        self.asked.append("who is signed in")
        return {each.cookie for each in viewers} & self.signed_in

    def later(self) -> None:
        """Long enough for the next look: after one that took long, it is further away."""
        self.clock.shift(600 * EVERY)


def watched(page: str, *things: str, ids: Sequence[str] = (), client: int | None = None, at: str = "d-9") -> Watched:
    identity = Identity(admin=client is None, client_id=client, tenant="")
    who = Viewer(identity=identity, csrf="", cookie="cookie")
    return Watched(page=page, viewer=who, things=things, ids=ids, at=at, asked=dict.fromkeys(FIELDS, ""))


@pytest.fixture
async def world() -> World:
    return World()


async def test_fifty_pages_with_fifty_receivers_are_one_look_a_second(world: World) -> None:
    pages = [watched("receiver", "webhook:ours" if n % 2 else "webhook:theirs", f"no:{n}") for n in range(50)]
    with ExitStack() as watching:
        for each in pages:
            watching.enter_context(world.shared.watching(each))
        for _ in range(2):
            for each in pages:
                await world.shared.leaves(each)
        assert len(world.asked) == 1
        world.later()
        await world.shared.leaves(pages[0])
        assert len(world.asked) == 2
    only = watched("receiver", "webhook:ours")
    world.later()
    with world.shared.watching(only):
        await world.shared.leaves(only)
    assert world.asked[2] == (["webhook:ours"], [])


async def test_who_comes_later_does_not_wait_for_the_next_look(world: World) -> None:
    first, second = watched("receiver", "webhook:ours"), watched("receiver", "webhook:theirs")
    with world.shared.watching(first), world.shared.watching(second):
        pass
    with world.shared.watching(first):
        await world.shared.leaves(first)
        with world.shared.watching(second):
            assert "t-webhook:theirs-state" in await world.shared.leaves(second)


async def test_a_page_of_deliveries_looks_at_nothing_else(world: World) -> None:
    page = watched("deliveries", ids=["d-ours"])
    with world.shared.watching(page):
        found = await world.shared.leaves(page)
    assert world.asked == [["d-ours"]]
    assert [*found] == ["d-d-ours-state", "d-d-ours-tries", "more"]
    assert found["more"] == '<span id="more"></span>'


async def test_newer_ones_are_counted_when_there_is_any_newer(world: World) -> None:
    page = watched("deliveries", at="d-8")
    with world.shared.watching(page):
        assert "3 newer deliveries" in (await world.shared.leaves(page))["more"]


async def test_newer_ones_are_counted_once_for_all_who_see_the_same_at_once(world: World) -> None:
    pages = [watched("deliveries", at="d-8") for _ in range(50)]
    with ExitStack() as watching:
        for each in pages:
            watching.enter_context(world.shared.watching(each))
        async with trio.open_nursery() as nursery:
            for each in pages:
                nursery.start_soon(world.shared.leaves, each)
    assert world.asked == [[], "newer"]


async def test_a_client_is_shown_its_own_things_whatever_it_names(world: World) -> None:
    everything = watched("receiver", *TARGETS, ids=[*DELIVERIES])
    mine = watched("receiver", *TARGETS, ids=[*DELIVERIES], client=OURS)
    with world.shared.watching(everything), world.shared.watching(mine):
        assert "t-webhook:theirs-state" in await world.shared.leaves(everything)
        found = await world.shared.leaves(mine)
    assert {name.split("-")[1] for name in found} == {"webhook:ours", "d"}
    assert not [name for name in found if "theirs" in name]


async def test_what_is_new_is_compared_once_for_all_who_saw_the_same(world: World) -> None:
    pages = [watched("deliveries", ids=["d-ours"]) for _ in range(2)]
    with world.shared.watching(pages[0]), world.shared.watching(pages[1]):
        before = [await world.shared.leaves(each) for each in pages]
        assert len(world.shared.news(pages[0], {}, before[0])) == 3
        assert world.shared.news(pages[0], before[0], before[0]) == ()
        world.later()
        world.status = "delivered"
        after = [await world.shared.leaves(each) for each in pages]
        news = [world.shared.news(*each) for each in zip(pages, before, after, strict=True)]
    assert "Delivered" in "".join(news[0])
    assert len(news[0]) == 1
    assert news[0] is news[1]


async def test_who_is_signed_in_is_asked_for_all_at_once(world: World) -> None:
    pages = [watched("deliveries") for _ in range(3)]
    with ExitStack() as watching:
        for each in pages:
            watching.enter_context(world.shared.watching(each))
        assert [await world.shared.lasts(each) for each in pages] == [True] * 3
        assert world.asked == ["who is signed in"]
        world.signed_in.clear()
        world.later()
        assert not await world.shared.lasts(pages[0])
