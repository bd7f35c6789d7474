"""One person, one contact, whatever keys they come under; the same on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.rows import NOW, intake
from tests.storing import open_database
from wagate.inbound.receive import store_requests
from wagate.storage.database import Database
from wagate.storage.threads.contacts import ContactRow, Person, contacts_of, note_people
from wagate.storage.threads.conversations import archive, delete_contacts, delete_threads, list_threads

PHONE, LID, BSUID = "15550001111@c.us", "990000001@lid", "US.134912086553@user"


async def note(database: Database, *people: Person) -> None:
    await database.write(lambda db: note_people(db, people, now=NOW))


async def contact(database: Database, key: str, client_id: int = 1) -> ContactRow:
    return (await database.read(contacts_of, [(client_id, key)]))[client_id, key]


def person(*keys: str, name: str = "", client_id: int = 1) -> Person:
    return Person(client_id=client_id, keys=keys, name=name)


async def test_aliases_of_one_message_are_one_contact(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        await note(database, person(LID, PHONE, name="Ana"))
        found = await contact(database, LID)
        assert (found.keys, found.name) == ([PHONE, LID], "Ana")
        assert await contact(database, PHONE) == found


async def test_two_contacts_become_one_when_they_turn_out_to_be(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        await note(database, person(PHONE, name="Ana"), person(LID, name="~ana"), person(BSUID))
        oldest = await contact(database, PHONE)
        await note(database, person(PHONE, LID, BSUID, name="Ana B."))
        assert await contact(database, BSUID) == await contact(database, LID)
        assert (await contact(database, LID)).id == oldest.id
        assert (await contact(database, LID)).name == "Ana B."


async def test_the_same_key_of_two_clients_is_two_contacts(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        await note(database, person(PHONE, name="Ana"), person(PHONE, name="Anna", client_id=2))
        assert (await contact(database, PHONE)).name == "Ana"
        assert (await contact(database, PHONE, client_id=2)).name == "Anna"


async def test_a_batch_about_one_person_keeps_the_last_name(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        await note(database, person(PHONE, name="Ana"), person(PHONE), person(PHONE, name="Ana\x00 Maria"))
        assert (await contact(database, PHONE)).name == "Ana� Maria"


async def test_a_conversation_is_read_under_all_keys_of_the_person(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        by_phone = intake(chat=PHONE, sender=PHONE, message_id="m1", content="first")
        by_lid = intake(chat=LID, sender=LID, message_id="m2", content="second")
        for item in (by_phone, by_lid):
            await database.write_bulk(store_requests, [item])
        page = await database.read(archive, client_id=1, chat=PHONE, limit=9)
        assert [each.event.content for each in page.data] == ["first"]
        await note(database, person(PHONE, LID))
        page = await database.read(archive, client_id=1, chat=PHONE, limit=9)
        assert [each.event.content for each in page.data] == ["second", "first"]
        [thread] = await database.read(list_threads, client_id=1, limit=9)
        assert (thread.chat, thread.messages) == (LID, 2)


async def test_a_group_has_the_name_that_it_was_given_last(tmp_path: Path, database_url: str) -> None:
    group = "120363000000000001@g.us"
    async with open_database(database_url, tmp_path) as database:

        async def happens(kind: str, name: str = "", **fields: str) -> None:
            extra = {"group_name": name} if name else {}
            item = intake(kind=kind, chat=group, sender=PHONE, extra=extra, **fields)
            await database.write_bulk(store_requests, [item])

        await happens("group.v2.join", "Family")
        assert await database.read(list_threads, client_id=1, limit=9) == [], "nothing was said yet"
        await happens("message", message_id="m1")
        [thread] = await database.read(list_threads, client_id=1, limit=9)
        assert (thread.name, thread.messages) == ("Family", 1)
        await happens("group.v2.update", "Family 2")
        await happens("message", message_id="m2")
        [thread] = await database.read(list_threads, client_id=1, limit=9)
        assert (thread.name, thread.messages) == ("Family 2", 2)


async def test_chats_of_old_go_and_with_them_who_was_in_them(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        old, new = NOW - timedelta(days=40), NOW
        for at, key in ((old, PHONE), (new, LID)):
            item = intake(chat=key, sender=key, message_id=key, created_at=at, timestamp=at)
            await database.write_bulk(store_requests, [item])
        before = NOW - timedelta(days=30)
        assert await database.write(delete_contacts, before) == 0, "a chat keeps its contact"
        assert await database.write(delete_threads, before, before) == 1
        assert await database.write(delete_contacts, before) == 1
        assert await database.read(contacts_of, [(1, PHONE)]) == {}
        assert (await contact(database, LID)).keys == [LID]
        assert [each.chat for each in await database.read(list_threads, client_id=1, limit=9)] == [LID]
