"""What came while we were down is asked for once, on both databases; duplicates do no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing

from tests.fake_provider import Pigeon
from tests.rows import event, route
from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import NotSentError
from wagate.events import NewEvent
from wagate.hooks import ProviderAccount
from wagate.inbound.catch_up import LOOK, OVERLAP, PATIENCE, SLEPT, CatchUp
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.people import People
from wagate.inbound.receive import Receiver
from wagate.inbound.route import Router
from wagate.plugins.account_settings import seal
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake
from wagate.storage.outbox.messages import Submission, submit
from wagate.storage.owners.accounts import NewAccount, create_account, last_seen
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.statement import rows
from wagate.testing.context import FixedClock

VAULT = Vault(["a secret key for tests"])
SETTINGS = seal({"api_token": "t"}, VAULT.encrypt)


def letter(text: str, *, chat: str = "5511999999999@c.us") -> NewEvent:
    return NewEvent(kind="message", provider_id=text, message_id=text, chat=chat, type="text", content=text)


class World:
    """A database with the accounts ``main`` and ``other`` of pigeons, and ``phone`` of nobody who could be asked."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock()
        self.pigeon = Pigeon()
        self.providers = Providers(public_url="")
        self.providers.add([self.pigeon.provider()])
        self.live = LiveDirectory(database, VAULT.decrypt)
        self.ignore_filter = IgnoreFilter(database)
        self.receiver = Receiver(
            database,
            Router({}, max_retries=3),
            self.clock,
            ring=lambda _: None,
            session_changed=lambda _: None,
            recognize=People(database, self.providers, self.clock).recognize,
        )

    async def make(self) -> World:
        await self.database.write(ensure_default_client, now=self.clock.now())
        for name, provider in (("main", "pigeon"), ("other", "pigeon"), ("phone", "session")):
            ignore = {"groups": True} if name == "main" else {}
            new = NewAccount(name=name, client_id=1, provider=provider, settings=SETTINGS, ignore=ignore)
            await self.database.write(create_account, new, now=self.clock.now())
        await self.live.reload()
        return self

    def catch_up(self, *again: float) -> CatchUp:
        clock: Clock = self.clock
        return CatchUp(
            self.providers,
            lambda: self.live.now,
            self.receiver,
            self.database,
            clock,
            ignore_filter=self.ignore_filter,
            again=again,
        )

    async def start(self, *again: float) -> None:
        await self.catch_up(*again).run()

    async def came(self, account: str, *events: NewEvent) -> None:
        await self.receiver.receive(self.live.now.accounts[account], events, b"")

    async def stored(self) -> list[Any]:
        found = await self.database.read(lambda db: rows(db, "SELECT account, content FROM events ORDER BY content"))
        return [tuple(row) for row in found]


async def test_what_was_missed_is_stored_once_and_what_was_known_stays_as_it_is(database: Database) -> None:
    world = await World(database).make()
    await world.came("main", letter("known"))
    world.pigeon.missed = {
        "main": [letter("known"), letter("missed"), letter("ignored", chat="1@g.us")],
        "other": [letter(f"{number:03}") for number in range(250)],
    }
    for _ in range(2):
        world.clock.shift(60)
        await world.start()
        found = await world.stored()
        assert [each for each in found if each[0] == "main"] == [("main", "known"), ("main", "missed")]
        assert [each[1] for each in found if each[0] == "other"] == [f"{number:03}" for number in range(250)]


async def test_of_ignored_chats_only_acks_of_messages_of_ours_are_caught_up(database: Database) -> None:
    world = await World(database).make()
    submission = Submission(
        id="ours",
        intake=Intake(event=event(kind="message.send", chat="1@g.us"), routes=(route("outbound:main"),)),
        message={},
        source="api",
    )
    await database.write_bulk(submit, submission)
    ours = NewEvent(kind="message.ack", message_id="p1", chat="1@g.us", content="ours", reference="ours")
    theirs = NewEvent(kind="message.ack", message_id="p2", chat="1@g.us", content="theirs")
    world.pigeon.missed = {"main": [letter("left out", chat="1@g.us"), theirs, ours]}
    await world.start()
    assert ("main", "ours") in await world.stored()
    assert not {("main", "theirs"), ("main", "left out")} & set(await world.stored())


async def test_each_account_is_asked_since_its_last_event_but_no_longer_than_six_days(database: Database) -> None:
    world = await World(database).make()
    made = world.clock.now()
    world.clock.shift(3600)
    await world.came("main", letter("last"))
    last = world.clock.now()
    world.clock.shift(3600)
    await world.start()
    assert asked(world) == {"main": last - OVERLAP, "other": made - OVERLAP}
    world.clock.shift(8 * 86400)
    await world.start()
    long_ago = world.clock.now() - timedelta(days=6) - OVERLAP
    assert asked(world) == {"main": long_ago, "other": long_ago}


async def test_what_comes_after_the_start_does_not_hide_what_was_missed(database: Database) -> None:
    world = await World(database).make()
    world.clock.shift(3600)
    catch_up = world.catch_up()
    world.clock.shift(5)
    await world.came("main", letter("fresh"))
    await catch_up.run()
    assert asked(world)["main"] < world.clock.now() - timedelta(seconds=3600)


async def test_what_was_missed_while_the_machine_slept_is_asked_for_when_it_wakes(database: Database) -> None:
    world = await World(database).make()
    await world.came("main", letter("last"))
    last = world.clock.now()
    world.clock.shift(7200)

    async def until_asked() -> datetime:
        with trio.fail_after(60):
            while len(world.pigeon.asked_since) < 2:
                await trio.sleep(0.01)
        return asked(world)["main"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.catch_up().watch)
        assert await until_asked() == last - OVERLAP
        world.clock.suspend(SLEPT - LOOK)
        world.clock.shift(LOOK)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert not world.pigeon.asked_since, "too short a sleep"
        world.clock.suspend(3600)
        await world.came("main", letter("fresh"))
        world.clock.shift(LOOK)
        assert await until_asked() == last - OVERLAP, "what came since it woke hides nothing"
        nursery.cancel_scope.cancel()


async def test_a_sleep_before_it_was_written_down_what_was_missed_does_not_hide_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await World(database).make()
    await world.came("main", letter("last"))
    last, begun, read = world.clock.now(), trio.Event(), database.read
    world.clock.shift(7200)
    catch_up = world.catch_up()
    world.clock.shift(1)
    await world.came("main", letter("fresh"))

    async def slow(fn: Any, *args: Any, **more: Any) -> Any:
        if fn is last_seen and not begun.is_set():
            begun.set()
            await trio.sleep_forever()
        return await read(fn, *args, **more)

    monkeypatch.setattr(database, "read", slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(catch_up.watch)
        await begun.wait()
        for awake, asleep in ((7200, 0), (LOOK, 3600)):
            await trio.testing.wait_all_tasks_blocked(0.05)
            world.clock.suspend(asleep)
            world.clock.shift(awake)
        with trio.fail_after(60):
            while len(world.pigeon.asked_since) < 2:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert asked(world)["main"] == last - OVERLAP


async def test_an_account_that_fails_or_hangs_costs_only_itself(
    database: Database, autojump_clock: trio.testing.MockClock
) -> None:
    world = await World(database).make()
    autojump_clock.autojump_threshold = 0.1  # threads work in the meantime
    closed = []

    async def lost(account: ProviderAccount, _since: datetime) -> AsyncIterator[NewEvent]:
        if account.name == "other":
            raise NotSentError("the service is away")
        yield letter("first")
        try:
            await trio.sleep_forever()
        finally:
            closed.append(account.name)

    world.pigeon.lost = lost  # type: ignore[method-assign]
    world.providers = Providers(public_url="")
    world.providers.add([world.pigeon.provider()])
    began = trio.current_time()
    await world.start()
    assert trio.current_time() - began >= PATIENCE
    assert closed == ["main"]
    assert await world.stored() == [("main", "first")]


async def test_a_provider_that_is_up_later_than_we_are_is_asked_again_for_the_same_time(database: Database) -> None:
    world = await World(database).make()
    asked_for: list[datetime] = []

    async def late(account: ProviderAccount, since: datetime) -> AsyncIterator[NewEvent]:
        if account.name != "main":
            return
        asked_for.append(since)
        if len(asked_for) < 3:
            raise NotSentError("ECONNREFUSED: connection refused")
        yield letter("missed")

    world.pigeon.lost = late  # type: ignore[method-assign]
    world.providers = Providers(public_url="")
    world.providers.add([world.pigeon.provider()])
    await world.start(0.0, 0.0, 0.0, 0.0)
    assert len(asked_for) == 3
    assert len(set(asked_for)) == 1
    assert await world.stored() == [("main", "missed")]


def asked(world: World) -> dict[str, datetime]:
    found = dict(world.pigeon.asked_since)
    world.pigeon.asked_since.clear()
    return found


async def test_a_start_that_did_not_come_to_its_end_is_not_hidden_from_the_next_one(database: Database) -> None:
    """Killed while the provider was still away: what came meanwhile is newer than what was missed."""
    world = await World(database).make()
    made, reached = world.clock.now(), False
    asked_for: list[datetime] = []

    async def lost(account: ProviderAccount, since: datetime) -> AsyncIterator[NewEvent]:
        if account.name == "main":
            asked_for.append(since)
            if not reached:
                raise NotSentError("the service is away")
            yield letter("missed")

    world.pigeon.lost = lost  # type: ignore[method-assign]
    world.providers = Providers(public_url="")
    world.providers.add([world.pigeon.provider()])
    world.clock.shift(3600)
    await world.start()
    await world.came("main", letter("fresh"))
    fresh = world.clock.now()
    world.clock.shift(3600)
    reached = True
    await world.start()
    world.clock.shift(3600)
    await world.start()
    assert asked_for == [made - OVERLAP, made - OVERLAP, world.clock.now() - timedelta(hours=1) - OVERLAP]
    assert asked_for[-1] > fresh
    assert await world.stored() == [("main", "fresh"), ("main", "missed")]
