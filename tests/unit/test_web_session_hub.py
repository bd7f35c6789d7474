"""Watchers of sessions: nobody waits for them, and they see the newest state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import trio
import trio.testing

from wagate.clock import Clock
from wagate.storage.database import Database
from wagate.web.sessions.hub import SessionHub


def hub() -> SessionHub:
    return SessionHub(cast(Database, NoDatabase()), Clock())


class NoDatabase:
    async def read(self, *_: Any) -> Any:
        raise AssertionError


async def test_changes_between_two_looks_are_told_once_in_their_order() -> None:
    hub_ = hub()
    with hub_.watch() as watcher:
        for name in ("b", "a", "b"):
            hub_.changed(name)
        assert watcher.wake.is_set()
        assert watcher.take() == ["b", "a"]
        assert not watcher.wake.is_set()


async def test_a_watcher_that_never_looks_holds_a_name_once_and_blocks_nobody() -> None:
    hub_ = hub()
    with hub_.watch() as slow, hub_.watch() as quick:
        for _ in range(10_000):
            hub_.changed("a")
            assert quick.take() == ["a"]
        assert slow.take() == ["a"]


async def test_who_watches_no_more_is_told_no_more() -> None:
    hub_ = hub()
    with hub_.watch() as watcher:
        pass
    hub_.changed("a")
    assert watcher.take() == []


class SlowDatabase:
    """Each look at it waits until it is told what to see."""

    def __init__(self) -> None:
        self.tell, self._told = trio.open_memory_channel[dict[str, datetime]](0)

    async def read(self, *_: Any) -> dict[str, datetime]:
        return await self._told.receive()


class StandsStill(Clock):
    """Time passes only when the test says so."""

    def monotonic(self) -> float:
        return self.offset


async def test_who_comes_first_is_told_what_others_change_from_its_own_first_look_on() -> None:
    database, clock = SlowDatabase(), StandsStill()
    hub_ = SessionHub(cast(Database, database), clock)
    before, after = (datetime(2025, 1, 20, 10, minute, tzinfo=UTC) for minute in (0, 1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub_.run)
        with hub_.watch() as watcher, trio.fail_after(60):
            async with trio.open_nursery() as looking:
                looking.start_soon(hub_.looked)
                await trio.testing.wait_all_tasks_blocked()
                assert looking.child_tasks, "a change between this moment and the table's first look would be lost"
                await database.tell.send({"a": before})
            clock.shift(1)
            await database.tell.send({"a": after})
            await watcher.wake.wait()
            assert watcher.take() == ["a"]
        nursery.cancel_scope.cancel()


async def test_closing_wakes_who_watches_and_who_comes_later() -> None:
    hub_ = hub()
    with hub_.watch() as watcher:
        hub_.close()
        assert watcher.closed
        assert watcher.wake.is_set()
    with hub_.watch() as late:
        assert late.closed
        assert late.wake.is_set()
