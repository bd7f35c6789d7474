"""Whose LID it is: asked of the provider once, in little time, and never again when it is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from tests.storing import open_database
from wagate.errors import NotSentError
from wagate.events import NewEvent
from wagate.hooks import Provider, ProviderAccount
from wagate.inbound.people import AWAY, NOT_KNOWN, People
from wagate.plugins.account_settings import NoSettings
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.directory import Account
from wagate.storage.threads.contacts import Person, contacts_of, note_people
from wagate.testing.context import FixedClock

LID, PHONE = "70000000000001@lid", "15550002222@c.us"
ACCOUNT = Account(
    id="a1",
    name="main",
    client_id=1,
    tenant="default",
    provider="linked",
    phone="15550000001",
    metadata={},
    ignore={},
    webhook_secret="",
    source="api",
)


class Engine:
    """Knows one LID, or does what the test wants."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: Callable[[], Awaitable[str]] | None = None

    async def number_of(self, lid: str, account: ProviderAccount) -> str:
        assert account.name == "main"
        self.asked.append(lid)
        if self.answers is not None:
            return await self.answers()
        return PHONE if lid == LID else ""


def people_of(database: Database, engine: Engine) -> tuple[People, FixedClock]:
    providers, clock = Providers(public_url=""), FixedClock()
    provider = Provider(
        name="linked",
        title="Linked",
        settings_type=NoSettings,
        secrets=frozenset(),
        number_of=engine.number_of,
    )
    providers.add([provider])
    return People(database, providers, clock), clock


def written(chat: str = LID, **fields: object) -> NewEvent:
    return NewEvent(**{"kind": "message", "chat": chat, "sender": chat, "recipient": "15550000001@c.us", **fields})  # type: ignore[arg-type]


async def test_what_comes_under_a_lid_is_taken_in_under_the_number(tmp_path: Path) -> None:
    async with open_database("", tmp_path) as database:
        engine = Engine()
        people, _ = people_of(database, engine)
        ours = written(sender="15550000001@c.us", recipient=LID, from_me=True)
        [(_, theirs), (_, own)] = await people.recognize([(ACCOUNT, written()), (ACCOUNT, ours)])
        assert (theirs.chat, theirs.sender, theirs.aliases) == (PHONE, PHONE, (LID,))
        assert (own.chat, own.recipient, own.aliases) == (PHONE, PHONE, ())
        assert engine.asked == [LID]


async def test_what_the_tables_know_is_not_asked(tmp_path: Path) -> None:
    async with open_database("", tmp_path) as database:
        engine = Engine()
        people, clock = people_of(database, engine)
        known = Person(client_id=1, keys=(PHONE, LID, "US.1@user"), name="Ana")
        await database.write(lambda db: note_people(db, [known], now=clock.now()))
        [(_, event), (_, by_id)] = await people.recognize([(ACCOUNT, written()), (ACCOUNT, written("US.1@user"))])
        assert {event.chat, by_id.chat} == {PHONE}
        assert engine.asked == []
        group = written("123@g.us", sender=LID)
        [(_, said)] = await people.recognize([(ACCOUNT, group)])
        assert (said.chat, said.sender, said.aliases) == ("123@g.us", PHONE, (LID,))


async def test_a_lid_that_nobody_knows_stays_and_is_asked_about_again_later(tmp_path: Path) -> None:
    async with open_database("", tmp_path) as database:
        engine = Engine()
        people, clock = people_of(database, engine)
        for _ in range(2):
            [(_, event)] = await people.recognize([(ACCOUNT, written("80000000000001@lid"))])
            assert event == written("80000000000001@lid")
        assert len(engine.asked) == 1
        clock.shift(NOT_KNOWN + 1)
        await people.recognize([(ACCOUNT, written("80000000000001@lid"))])
        assert len(engine.asked) == 2


async def test_members_of_groups_are_not_asked_about(tmp_path: Path) -> None:
    async with open_database("", tmp_path) as database:
        engine = Engine()
        people, _ = people_of(database, engine)
        [(_, event)] = await people.recognize([(ACCOUNT, written("123@g.us", sender=LID))])
        assert (event.sender, engine.asked) == (LID, [])


async def test_a_provider_that_fails_costs_no_message_and_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with open_database("", tmp_path) as database:
        engine = Engine()
        people, clock = people_of(database, engine)

        async def fails() -> str:
            raise NotSentError("the session is STOPPED")

        engine.answers = fails
        for _ in range(2):
            [(_, event)] = await people.recognize([(ACCOUNT, written())])
            assert event.chat == LID
        assert len(engine.asked) == 1
        clock.shift(AWAY + 1)
        engine.answers = None
        [(_, event)] = await people.recognize([(ACCOUNT, written())])
        assert event.chat == PHONE


async def test_many_who_wait_for_one_lid_ask_once(tmp_path: Path) -> None:
    async with open_database("", tmp_path) as database:
        engine, told, asked = Engine(), trio.Event(), trio.Event()
        people, _ = people_of(database, engine)
        chats: list[str] = []

        async def slow() -> str:
            asked.set()
            await told.wait()
            return PHONE

        async def one() -> None:
            [(_, event)] = await people.recognize([(ACCOUNT, written())])
            chats.append(event.chat)

        engine.answers = slow
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(one)
            await asked.wait()
            told.set()
        assert (chats, len(engine.asked)) == ([PHONE] * 5, 1)


async def test_a_provider_that_hangs_holds_a_webhook_for_two_seconds_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.inbound.people.PATIENCE", 0.0)
    async with open_database("", tmp_path) as database:
        engine = Engine()
        people, _ = people_of(database, engine)
        engine.answers = trio.sleep_forever  # type: ignore[assignment]
        [(_, event)] = await people.recognize([(ACCOUNT, written())])
        assert event.chat == LID


async def test_the_number_to_write_to_is_the_one_they_wrote_from_last_or_moved_to(tmp_path: Path) -> None:
    old, new = "15550003333@c.us", "15550004444@c.us"
    async with open_database("", tmp_path) as database:
        _, clock = people_of(database, Engine())

        async def note(*keys: str, **fields: object) -> str:
            clock.shift(1)
            person = Person(client_id=1, keys=keys, name="", **fields)  # type: ignore[arg-type]
            await database.write(lambda db: note_people(db, [person], now=clock.now()))
            return (await database.read(contacts_of, [(1, keys[0])]))[1, keys[0]].phone

        assert await note("5511987654321@c.us", wrote=False) == "5511987654321@c.us"
        assert await note("551187654321@c.us") == "551187654321@c.us"
        assert await note("5511987654321@c.us", wrote=False) == "551187654321@c.us"
        assert await note(old) == old
        assert await note(old, moved_to=new) == new
        assert await note(new, moved_to=old) == old
