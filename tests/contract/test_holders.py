"""With several processes, one listens for an account: leases in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import trio

from tests.rows import NOW
from wagate.clock import Clock
from wagate.errors import StorageError
from wagate.inbound.listen import COUNTED, LEASE, LOOK, RENEW, Holding
from wagate.storage.database import Database
from wagate.storage.owners.accounts import hold

SOON, LATER = NOW + timedelta(seconds=5), NOW + timedelta(seconds=30)


async def test_one_holder_at_a_time_until_its_lease_is_over(database: Database) -> None:
    first = partial(hold, account_ids=["a", "b"], holder="one", now=NOW, until=SOON)
    assert await database.write(first) == {"a", "b"}
    other = partial(hold, account_ids=["b", "c"], holder="two", now=NOW, until=LATER)
    assert await database.write(other) == {"c"}
    assert await database.write(partial(hold, account_ids=["a"], holder="one", now=SOON, until=LATER)) == {"a"}
    late = NOW + timedelta(seconds=10)
    assert await database.write(partial(hold, account_ids=["a", "b"], holder="two", now=late, until=LATER)) == {"b"}


async def test_another_takes_over_when_a_process_renews_no_more(database: Database) -> None:
    clock = Clock()
    one, two = Holding(database, clock, "one"), Holding(database, clock, "two")
    assert await one.renew(["a"])
    assert not await two.renew(["a"])
    clock.shift(LEASE - RENEW)
    assert one.holds("a")
    assert not await one.renew(["a"])  # nothing changed
    clock.shift(RENEW + 1)
    await two.renew(["a"])
    assert (one.holds("a"), two.holds("a")) == (True, False)
    clock.shift(LEASE)
    assert await two.renew(["a"])
    assert two.holds("a")
    assert await one.renew(["a"])
    assert not one.holds("a")


class Broken:
    """A database that can take nothing."""

    async def write(self, *_arguments: Any, **_named: Any) -> Any:
        await trio.lowlevel.checkpoint()
        raise StorageError("the disk is full")


async def test_what_can_not_be_renewed_in_time_is_held_no_more(database: Database) -> None:
    clock, gone = Clock(), trio.Event()
    holding = Holding(database, clock, "one")
    await holding.renew(["a"])
    holding._database = Broken()

    async def changed() -> None:
        gone.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(holding.keep, lambda: ("a",), changed)
        with trio.fail_after(60):
            while not gone.is_set():
                clock.shift(RENEW)
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert not holding.holds("a")


class Hanging:
    """A database that takes it in, and answers much later."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.hangs = True
        self.asked = trio.Event()

    async def write(self, *arguments: Any, **named: Any) -> Any:
        self.asked.set()
        while self.hangs:
            await trio.sleep(0.01)
        return await self.database.write(*arguments, **named)


@pytest.mark.parametrize("how", ["runs", "suspended"])
async def test_a_renewal_that_hangs_keeps_nothing_past_the_lease(database: Database, how: str) -> None:
    clock, gone, back = Clock(), trio.Event(), trio.Event()
    holding = Holding(database, clock, "one")
    await holding.renew(["a"])
    holding._database = hanging = Hanging(database)  # type: ignore[assignment]

    async def changed() -> None:
        (back if holding.holds("a") else gone).set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(holding.keep, lambda: ("a",), changed)
        with trio.fail_after(60):
            await hanging.asked.wait()
            assert holding.holds("a")
            if how == "runs":
                clock.shift(LEASE)
            else:
                clock.suspend(LEASE)
            assert not holding.holds("a")
            await gone.wait()
            hanging.hangs = False
            while not back.is_set():  # what it says so late is no longer so; the next one counts
                clock.shift(1.0)
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


async def test_a_renewal_that_took_longer_than_its_lease_took_nothing(database: Database) -> None:
    clock = Clock()
    holding = Holding(database, clock, "one")
    holding._database = hanging = Hanging(database)  # type: ignore[assignment]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(holding.renew, ["a"])
        await hanging.asked.wait()
        clock.shift(LEASE)
        hanging.hangs = False
    assert not holding.holds("a")
    assert await holding.renew(["a"])
    assert holding.holds("a")


@pytest.mark.parametrize(("late", "back"), [(COUNTED - RENEW + 0.1, True), (COUNTED + 0.1, False)])
async def test_a_renewal_says_so_when_the_lease_lapsed_before_it_came(
    database: Database, late: float, back: bool
) -> None:
    clock = Clock()
    holding = Holding(database, clock, "one")
    await holding.renew(["a"])
    holding._database = hanging = Hanging(database)  # type: ignore[assignment]
    changed = list[bool]()

    async def renew() -> None:
        changed.append(await holding.renew(["a"]))

    clock.shift(RENEW)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renew)
        await hanging.asked.wait()
        clock.shift(late)
        assert not holding.holds("a")  # whoever asked ended what it had, before anybody looked whether it was lost
        hanging.hangs = False
    assert (changed, holding.holds("a")) == ([True], back)


class TrioClock(Clock):
    """Trio's, which jumps when nobody has anything to do."""

    def now(self) -> datetime:
        return NOW + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()

    def boottime(self) -> float:
        return trio.current_time()


class Slow:
    """A database without other gateways, which takes some time, and answers nothing while it hangs."""

    def __init__(self, *, commit: float, hangs: tuple[float, float] = (0.0, 0.0)) -> None:
        self._commit = commit
        self._hangs = hangs
        """Trio's time, from and until."""

    async def write(self, _function: object, account_ids: Sequence[str], *_rest: Any, **_named: Any) -> frozenset[str]:
        await trio.sleep(self._commit)
        since, until = self._hangs
        if since <= trio.current_time() < until:
            await trio.sleep_until(until)
        return frozenset(account_ids)


async def _changes(database: Slow, seconds: float) -> list[tuple[float, bool]]:
    """When the account came or went (seconds from the start), and whether it is held then."""
    holding, changes, began = Holding(database, TrioClock(), "one"), list[tuple[float, bool]](), trio.current_time()  # type: ignore[arg-type]

    async def changed() -> None:
        await trio.lowlevel.checkpoint()
        changes.append((trio.current_time() - began, holding.holds("a")))

    with trio.move_on_after(seconds):
        await holding.keep(lambda: ("a",), changed)
    return changes


async def test_commits_that_take_3_seconds_cost_no_number_of_a_single_gateway(autojump_clock: Any) -> None:
    _ = autojump_clock
    assert await _changes(Slow(commit=3.0), 600.0) == [(3.0, True)]


async def test_a_database_that_hangs_for_10_seconds_costs_a_number_once_until_it_answers(autojump_clock: Any) -> None:
    _ = autojump_clock
    since = trio.current_time() + 10 * RENEW - 0.5
    (_, first), (lost, held), (back, again) = await _changes(Slow(commit=0.01, hangs=(since, since + 10.0)), 600.0)
    assert (first, held, again) == (True, False, True)
    assert COUNTED <= lost - 9 * RENEW <= COUNTED + LOOK
    assert back - (10 * RENEW + 9.5) < 0.1


WITHIN = 15.0
"""Seconds in which a number is with another gateway, as is claimed; its login included."""
LOGIN = 2.0
"""Of these for the engine's start and login; they take about one."""


class Shared:
    """A database of several gateways, with the rule of `hold`."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, datetime]] = {}

    async def write(
        self, _hold: object, account_ids: Sequence[str], holder: str, *, now: datetime, until: datetime
    ) -> frozenset[str]:
        await trio.sleep(0.05)
        for each in account_ids:
            other, ends = self._rows.get(each, (holder, now))
            if other == holder or ends < now:
                self._rows[each] = holder, until
        return frozenset(each for each in account_ids if self._rows[each][0] == holder)


@pytest.mark.parametrize("behind", [0.0, 0.7, 1.4, 2.1, 2.9])
@pytest.mark.parametrize("killed", [60.06, 61.0, 62.0, 63.04])
async def test_another_gateway_has_a_number_within_15_s(behind: float, killed: float, autojump_clock: Any) -> None:
    _ = autojump_clock
    shared, clock, taken, began = Shared(), TrioClock(), trio.Event(), trio.current_time()
    one, two = Holding(shared, clock, "one"), Holding(shared, clock, "two")  # type: ignore[arg-type]

    async def changed() -> None:
        await trio.lowlevel.checkpoint()
        if two.holds("a"):
            taken.set()

    async with trio.open_nursery() as nursery:
        with trio.move_on_at(began + killed):
            nursery.start_soon(_keep_until, began + killed, one, changed)
            await trio.sleep(1.0 + behind)
            nursery.start_soon(two.keep, lambda: ("a",), changed)
            await trio.sleep_forever()
        assert not taken.is_set()
        await taken.wait()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began - killed <= LEASE + RENEW + 0.1
    assert LEASE + RENEW + LOGIN <= WITHIN


async def _keep_until(killed: float, holding: Holding, changed: Callable[[], Awaitable[None]]) -> None:
    with trio.move_on_at(killed):
        await holding.keep(lambda: ("a",), changed)
