"""Archived, unread, cleared and starred: the same on both databases."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace

from tests.rows import NOW, intake
from wagate.storage.database import Database
from wagate.storage.events.intake import store
from wagate.storage.statement import rows
from wagate.storage.threads.chat_marks import Mark, cleared_to, mark_chat, star_message, starred
from wagate.storage.threads.contacts import Person, note_people
from wagate.storage.threads.conversations import Thread, list_threads
from wagate.storage.upkeep.retention import Ages, sweep

PHONE, LID, GROUP = "15550001111@c.us", "990000001@lid", "120363000000000001@g.us"
_numbers = count(1)


async def said(database: Database, chat: str = PHONE, *, ours: bool = False, **values: Any) -> str:
    """One message; the id of its event."""
    kind = "message.any" if ours else "message"
    item = intake(chat=chat, kind=kind, from_me=ours, message_id=f"ABCDEF0123456789{next(_numbers):04}", **values)
    return (await database.write_bulk(store, item)).event_id


async def mark(database: Database, which: Mark, chat: str = PHONE) -> bool:
    return await database.write(mark_chat, client_id=1, account="main", chat=chat, mark=which, now=NOW)


async def thread(database: Database, chat: str = PHONE) -> Thread:
    [found] = await database.read(list_threads, client_id=1, account="main", chat=chat, limit=5)
    return found


async def test_a_message_that_comes_in_is_unread_until_the_chat_is_read_or_answered(database: Database) -> None:
    for expected in (1, 2):
        await said(database)
        assert (await thread(database)).unread == expected
    await said(database, ours=True)
    assert (await thread(database)).unread == 0
    await said(database)
    assert await mark(database, "read")
    assert (await thread(database)).unread == 0
    await mark(database, "unread")
    assert (await thread(database)).unread == -1
    await said(database)
    assert (await thread(database)).unread == 1
    await mark(database, "unread")
    assert (await thread(database)).unread == 1
    assert not await mark(database, "read", GROUP)


async def test_a_chat_is_archived_until_somebody_writes_in_it(database: Database) -> None:
    await said(database)
    await mark(database, "archive")
    await said(database, ours=True)
    assert (await thread(database)).archived
    await said(database)
    assert not (await thread(database)).archived
    await mark(database, "archive")
    await mark(database, "unarchive")
    assert not (await thread(database)).archived
    # A message to somebody new may still be on its way out.
    assert await mark(database, "archive", GROUP)
    assert await database.read(list_threads, client_id=1, account="main", chat=GROUP, limit=5) == []
    await said(database, GROUP, ours=True)
    assert (await thread(database, GROUP)).archived


async def test_messages_of_the_past_change_no_mark(database: Database) -> None:
    async def marks() -> tuple[int, bool]:
        found = await thread(database)
        return found.unread, found.archived

    async def comes(*, ours: bool) -> None:
        item = intake(chat=PHONE, from_me=ours, message_id=f"PAST0123456789{next(_numbers):04}")
        await database.write_bulk(store, replace(item, past=True))

    await comes(ours=False)
    assert await marks() == (0, False)
    await said(database)
    await mark(database, "archive")
    reached: list[tuple[Mark, int]] = [("read", 0), ("unread", -1)]
    for which, unread in reached:
        await mark(database, which)
        for ours in (False, True):
            await comes(ours=ours)
            assert await marks() == (unread, True)
    await mark(database, "delete")
    await comes(ours=False)
    assert (await thread(database)).deleted
    await said(database)
    assert not (await thread(database)).deleted


async def test_a_person_has_one_mark_under_all_their_keys(database: Database) -> None:
    await said(database, LID)
    await said(database, PHONE)
    await database.write(note_people, [Person(client_id=1, keys=(LID, PHONE), name="Ana")], now=NOW)
    assert (await thread(database)).unread == 2
    await mark(database, "archive", LID)
    assert (await thread(database)).archived
    await said(database, LID)
    await said(database, PHONE, ours=True)
    found = await thread(database)
    assert (found.archived, found.unread, found.chat) == (False, 0, PHONE)
    await mark(database, "delete", PHONE)
    found = await thread(database, LID)
    assert (found.deleted, found.cleared, found.messages, found.unread) == (True, 4, 4, 0)
    cleared = await database.read(cleared_to, client_id=1, account="main", chat=LID)
    assert sorted(cleared) == sorted([LID, PHONE])


async def test_a_mark_under_another_key_of_a_person_hides_nothing(database: Database) -> None:
    await said(database, LID)
    await database.write(note_people, [Person(client_id=1, keys=(LID, PHONE), name="Ana")], now=NOW)
    for which in ("archive", "unread", "clear"):
        assert await mark(database, which, PHONE)
    [found] = await database.read(list_threads, client_id=1, account="main", limit=5)
    assert (found.chat, found.archived, found.unread) == (LID, True, 0)
    assert await database.read(rows, "SELECT chat FROM chats") == [(LID,)]


async def test_a_chat_in_which_nothing_was_said_hides_none_of_the_same_person(database: Database) -> None:
    later = NOW + timedelta(hours=1)
    assert await database.write(mark_chat, client_id=1, account="main", chat=PHONE, mark="archive", now=later)
    await said(database, LID)
    await database.write(note_people, [Person(client_id=1, keys=(LID, PHONE), name="Ana")], now=NOW)
    assert [each.chat for each in await database.read(list_threads, client_id=1, limit=5)] == [LID]


async def test_an_answer_under_one_key_answers_what_came_in_under_the_other(database: Database) -> None:
    await said(database, LID)
    await said(database, LID)
    await database.write(note_people, [Person(client_id=1, keys=(LID, PHONE), name="Ana")], now=NOW)
    await said(database, PHONE, ours=True)
    assert (await thread(database)).unread == 0
    await said(database, LID)
    assert (await thread(database)).unread == 1
    await said(database, PHONE)
    assert (await thread(database)).unread == 2
    assert await mark(database, "read", PHONE)
    assert (await thread(database)).unread == 0
    await said(database, LID)
    assert (await thread(database)).unread == 1
    await said(database, LID, ours=True)
    assert (await thread(database)).unread == 0
    await mark(database, "unread", LID)
    assert (await thread(database)).unread == -1


async def test_what_is_cleared_or_deleted_is_kept_and_comes_back_with_nothing_old(database: Database) -> None:
    first = await said(database)
    await mark(database, "archive")
    await mark(database, "clear")
    found = await thread(database)
    assert (found.cleared_to, found.cleared, found.deleted, found.archived) == (first, 1, False, True)
    await mark(database, "delete")
    found = await thread(database)
    assert (found.deleted, found.archived) == (True, False)
    assert await database.read(rows, "SELECT id FROM events") == [(first,)]
    last = await said(database, ours=True)
    found = await thread(database)
    assert (found.deleted, found.cleared_to, found.cleared, found.messages) == (False, first, 1, 2)
    assert found.last_event_id == last
    assert not await mark(database, "delete", GROUP)


async def test_what_was_cleared_is_known_as_long_as_any_of_it_can_be_kept(database: Database) -> None:
    await said(database, PHONE)
    await said(database, GROUP)
    await mark(database, "clear", PHONE)
    ages = Ages(events=timedelta(days=30), failed=timedelta(days=90))
    assert (await sweep(database, ages, now=NOW + timedelta(days=31)))["chats"] == 1
    assert PHONE in await database.read(cleared_to, client_id=1, account="main", chat=PHONE)
    assert (await sweep(database, ages, now=NOW + timedelta(days=91)))["chats"] == 1


async def test_a_star_goes_with_its_message(database: Database) -> None:
    event = await said(database, routes=())
    for _ in range(2):
        await database.write(star_message, event, on=True)
    await database.write(star_message, "not-there", on=True)
    assert await database.read(starred, [event, "not-there"]) == {event}
    await database.write(star_message, event, on=False)
    assert await database.read(starred, [event]) == set()
    await database.write(star_message, event, on=True)
    await sweep(database, Ages(), now=NOW + timedelta(days=31))
    assert await database.read(rows, "SELECT event_id FROM starred_messages") == []
