"""Watchers of sessions: nobody waits for them, and they see the newest state."""

from __future__ import annotations

from typing import Any, cast

from wagate.clock import Clock
from wagate.storage.database import Database
from wagate.web.session_hub import SessionHub


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


async def test_closing_wakes_who_watches_and_who_comes_later() -> None:
    hub_ = hub()
    with hub_.watch() as watcher:
        hub_.close()
        assert watcher.closed
        assert watcher.wake.is_set()
    with hub_.watch() as late:
        assert late.closed
        assert late.wake.is_set()
