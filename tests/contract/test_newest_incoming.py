"""The newest message that came in through a number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.rows import NOW, id_of, intake
from wagate.storage.database import Database
from wagate.storage.events.intake import store
from wagate.storage.threads.talk import MOST_CHATS, newest_incoming

HOUR = timedelta(hours=1)


async def test_it_is_the_newest_of_this_number_and_none_of_our_own(database: Database) -> None:
    async def newest(account: str = "main", *, account_id: str = "", since: Any = NOW - HOUR) -> str:
        wanted = account_id or id_of(account)
        found = await database.browse(newest_incoming, client_id=1, account=account, account_id=wanted, since=since)
        return "" if found is None else found.content

    async def said(content: str, *, minutes: int, **fields: Any) -> None:
        at = NOW + timedelta(minutes=minutes)
        await database.write_bulk(store, intake(content=content, created_at=at, timestamp=at, routes=(), **fields))

    assert await newest() == ""
    await said("first", minutes=1)
    await said("of another number", minutes=2, account="other")
    assert (await newest(), await newest("other")) == ("first", "of another number")
    await said("second", minutes=3, chat="12025550119@c.us")
    await said("ours, there", minutes=4, kind="message.any", from_me=True)
    await said("ours, elsewhere", minutes=5, kind="message.any", from_me=True, chat="12025550101@c.us")
    await said("a tick", minutes=6, kind="message.ack", chat="12025550119@c.us")
    assert await newest() == "second"
    assert await newest(since=NOW + HOUR) == ""
    assert await newest(account_id="of a former number with this name") == ""
    for number in range(MOST_CHATS + 2):
        await said(f"busy {number}", minutes=7 + number, chat=f"1202555{number:04}@c.us")
    assert await newest() == f"busy {MOST_CHATS + 1}"
