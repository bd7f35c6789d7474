"""What plugins see of the gateway as a whole, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio
import trio.testing

from tests.rows import NOW, intake, route
from wagate.context.watch import LEASE, PluginWatch, Watching
from wagate.hooks import Need
from wagate.storage.database import Database
from wagate.storage.events.intake import store
from wagate.storage.owners.clients import ensure_default_client
from wagate.testing.context import FixedClock


def watch(database: Database, clock: FixedClock, holder: str, plugin: str = "alerts") -> PluginWatch:
    return PluginWatch(plugin, Watching(), database, clock, holder=holder)


async def test_one_of_two_processes_leads_and_the_other_follows_when_it_is_gone(database: Database) -> None:
    clock = FixedClock()
    a, b = watch(database, clock, "a"), watch(database, clock, "b")
    assert [await a.lead(), await b.lead(), await a.lead()] == [True, False, True]
    assert await watch(database, clock, "b", "other").lead()  # each plugin for itself
    clock.shift(LEASE - 1)
    assert [await a.lead(), await b.lead()] == [True, False]
    clock.shift(LEASE + 1)
    assert [await b.lead(), await a.lead()] == [True, False]


async def test_alone_it_leads_and_writes_nothing(database: Database) -> None:
    assert await watch(database, FixedClock(), "").lead()


async def test_what_waits_is_counted(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    assert await watch(database, FixedClock(), "").waiting() == 0
    await database.write(store, [intake(routes=(route("webhook:a"), route("webhook:b")))])
    assert await watch(database, FixedClock(), "").waiting() == 2


async def test_who_asks_before_the_gateway_serves_waits_for_it() -> None:
    watching = Watching()
    need = Need(kind="down", key="k", who="a", what="b", detail="", page="/ui/", since=NOW - timedelta(hours=1))

    async def look() -> list[Need]:
        await trio.lowlevel.checkpoint()
        return [need]

    async with trio.open_nursery() as nursery:
        found: list[Need] = []

        async def ask() -> None:
            found.extend(await watching.needs())

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert found == []
        watching.look_by(look)
    assert found == [need]


@pytest.mark.parametrize("why", ["x" * 1000, "channel a: no"])
async def test_a_trouble_is_kept_until_it_is_over(database: Database, why: str) -> None:
    watching = Watching()
    one = PluginWatch("alerts", watching, database, FixedClock(), holder="")
    one.trouble(why)
    assert watching.troubles["alerts"] == why[:300]
    one.trouble("")
    assert watching.troubles == {}
