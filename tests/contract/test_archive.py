"""The archive from its beginning on, page by page; the same on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.rows import NOW, intake
from tests.storing import open_database
from wagate.context.archive import StoredArchive
from wagate.errors import NotFoundError
from wagate.inbound.receive import store_requests
from wagate.storage.database import Database

ANA, BEN = "15550001111@c.us", "15550002222@c.us"


async def keep(database: Database, **fields: object) -> str:
    [stored] = await database.write_bulk(store_requests, [intake(**fields)])  # type: ignore[arg-type]
    return stored.event_id


async def test_events_come_oldest_first_and_go_on_after_the_last_one_seen(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        ids = [await keep(database, message_id=f"m{n}", chat=(ANA, BEN)[n % 2]) for n in range(5)]
        archive = StoredArchive(database)
        first = await archive.events(client_id=1, kinds={"message"}, since=NOW, limit=2)
        rest = await archive.events(client_id=1, kinds={"message"}, since=NOW, after=first[-1].id)
        assert [event.id for event in (*first, *rest)] == ids
        assert await archive.events(client_id=1, kinds={"message"}, since=NOW, after=ids[-1]) == []


async def test_only_what_was_asked_for_comes(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        wanted = await keep(database)
        await keep(database, kind="message.ack")
        await keep(database, account="other")
        await keep(database, client_id=2)
        await keep(database, timestamp=NOW - timedelta(days=8))
        found = await StoredArchive(database).events(client_id=1, kinds={"message"}, accounts={"main"}, since=NOW)
        assert [event.id for event in found] == [wanted]


async def test_another_clients_event_is_not_there(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        kept = await keep(database, content="Hi")
        archive = StoredArchive(database)
        assert (await archive.event(kept, client_id=1)).content == "Hi"
        with pytest.raises(NotFoundError):
            await archive.event(kept, client_id=2)


async def test_chats_come_once_each_with_who_is_in_them(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        for chat, name in ((BEN, "Ben"), (ANA, "Ana"), (ANA, "Ana Maria")):
            await keep(database, chat=chat, sender=chat, contact_name=name)
        await keep(database, chat="1@g.us", sender=ANA, extra={"group_name": "Team"}, account="other")
        archive = StoredArchive(database)
        first = await archive.chats(client_id=1, limit=1)
        rest = await archive.chats(client_id=1, after=(first[0].chat, first[0].account))
        assert [(each.account, each.chat, each.name) for each in (*first, *rest)] == [
            ("main", ANA, "Ana Maria"),
            ("main", BEN, "Ben"),
            ("other", "1@g.us", "Team"),
        ]
        assert [each.chat for each in await archive.chats(client_id=1, accounts={"main"})] == [ANA, BEN]
        assert await archive.chats(client_id=2) == []
