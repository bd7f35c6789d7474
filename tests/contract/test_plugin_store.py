"""A plugin's rows by prefix and by age, on both databases."""

from __future__ import annotations

from pathlib import Path

from tests.storing import open_database
from wagate.clock import Clock
from wagate.context.store import PluginStore


async def test_a_prefix_finds_its_keys_alone_in_order(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        store = PluginStore("chatwoot", database, Clock())
        await store.set_all({"a/2": 2, "a/10": 10, "a/é": "é", "b/1": 1, "a": 0, "A/1": 1})
        await PluginStore("other", database, Clock()).set("a/1", 1)
        assert list(await store.items("a/")) == ["a/10", "a/2", "a/é"]
        assert dict(await store.items("a/", most=1)) == {"a/10": 10}
        assert await store.keys("b/") == ["b/1"]
        assert len(await store.items()) == 6


async def test_what_is_old_is_forgotten_unless_it_was_set_again(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        clock = Clock()
        store = PluginStore("chatwoot", database, clock)
        await store.set_all({f"a/{number}": number for number in range(1200)})
        clock.shift(100)
        await store.set("a/7", "again")
        await store.set("b/1", 1)
        assert await store.forget("a/", older=50) == 1199
        assert dict(await store.items()) == {"a/7": "again", "b/1": 1}
