"""The line of new chats in both databases: it is the same after a restart, and for all gateways."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import trio

from tests.rows import NOW
from wagate.storage.database import Database
from wagate.storage.outbox.new_chats import NewChat, begin_chat, delete_new_chats, give_back, is_known
from wagate.storage.owners.accounts import NewAccount, create_account, delete_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows

HOUR = timedelta(hours=1)


@pytest.fixture
async def account(database: Database) -> str:
    """Its id."""
    await database.write(ensure_default_client, now=NOW)
    new = NewAccount(name="shop", client_id=1, provider="whatsapp")
    return (await database.write(create_account, new, now=NOW)).id


def asking(account: str, number: int, now: datetime, *, an_hour: int = 4, burst: int = 2) -> NewChat:
    return NewChat(
        account_id=account,
        chat=f"{number}@c.us",
        message_id=f"01a1fc80-{number:04}",
        delivery_id="",
        interval=HOUR / an_hour,
        burst=burst,
        gone=HOUR / 2,
        recover=24 * HOUR,
        reason="waits",
        now=now,
    )


async def test_the_burst_goes_at_once_and_the_rest_one_after_the_other(database: Database, account: str) -> None:
    waits = [await database.write(begin_chat, asking(account, each, NOW), waits=True) for each in range(5)]
    assert waits == [0.0, 0.0, 900.0, 1800.0, 2700.0]
    # Who asks again keeps the place; the first of the line goes first, whoever asks first.
    later = NOW + timedelta(seconds=900)
    assert await database.write(begin_chat, asking(account, 4, later), waits=True) == 1800.0
    assert await database.write(begin_chat, asking(account, 2, later), waits=True) == 0.0
    assert await database.write(begin_chat, asking(account, 2, later), waits=True) == 0.0  # it is begun
    assert await database.write(begin_chat, asking(account, 3, later), waits=True) == 900.0


async def test_gateways_that_ask_at_the_same_moment_begin_no_more(database: Database, account: str) -> None:
    waits: list[float] = []

    async def ask(number: int) -> None:
        waits.append(await database.write(begin_chat, asking(account, number, NOW), waits=True))

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(ask, number)
    assert waits.count(0.0) == 2


async def test_who_left_the_line_holds_nobody_up(database: Database, account: str) -> None:
    for each in range(4):
        await database.write(begin_chat, asking(account, each, NOW), waits=True)
    later = NOW + timedelta(seconds=1799)
    assert await database.write(begin_chat, asking(account, 3, later), waits=True) > 0
    later = NOW + timedelta(seconds=1801)
    assert await database.write(begin_chat, asking(account, 3, later), waits=True) == 0.0


async def test_after_an_outage_what_waited_does_not_go_all_at_once(database: Database, account: str) -> None:
    for each in range(9):
        await database.write(begin_chat, asking(account, each, NOW), waits=True)
    later = NOW + 10 * HOUR
    waits = [await database.write(begin_chat, asking(account, each, later), waits=True) for each in range(2, 9)]
    assert waits[:4] == [0.0, 0.0, 900.0, 1800.0]


async def test_a_rate_that_is_raised_and_a_clock_that_is_set_back_count_at_once(
    database: Database, account: str
) -> None:
    for each in range(2):
        await database.write(begin_chat, asking(account, each, NOW + 1000 * HOUR), waits=True)
    assert await database.write(begin_chat, asking(account, 5, NOW), waits=True) == 900.0
    assert await database.write(begin_chat, asking(account, 5, NOW, an_hour=60), waits=True) == 60.0


async def test_who_does_not_wait_takes_no_place(database: Database, account: str) -> None:
    for each in range(2):
        await database.write(begin_chat, asking(account, each, NOW), waits=True)
    assert await database.write(begin_chat, asking(account, 2, NOW), waits=False) == 900.0
    assert await database.read(rows, "SELECT COUNT(*) FROM new_chats") == [(2,)]


async def test_a_chat_that_began_is_known_and_goes_with_its_age_or_its_account(
    database: Database, account: str
) -> None:
    asked = {"client_id": 1, "account": "shop", "account_id": account}
    assert not await database.read(is_known, **asked, chat="0@c.us")
    for each in range(3):
        await database.write(begin_chat, asking(account, each, NOW), waits=True)
    assert await database.read(is_known, **asked, chat="0@c.us")
    assert not await database.read(is_known, **asked, chat="2@c.us")  # it waits
    assert await database.write(delete_new_chats, NOW) == 0
    assert await database.write(delete_new_chats, NOW + HOUR, 2) == 2
    await database.write(delete_account, "shop", client_id=1)
    assert await database.read(rows, "SELECT COUNT(*) FROM new_chats") == [(0,)]


async def test_a_turn_in_which_nothing_left_is_given_back(database: Database, account: str) -> None:
    one = asking(account, 1, NOW, burst=1)
    known = {"client_id": 1, "account": "shop", "account_id": account, "chat": one.chat}
    assert await database.write(begin_chat, one, waits=True) == 0.0
    assert await database.read(is_known, **known)
    await database.write(give_back, account, one.chat)
    assert not await database.read(is_known, **known), "nothing was ever said there"
    assert await database.write(begin_chat, one, waits=True) == 0.0, "its turn is the one that it had"
    assert await database.write(begin_chat, asking(account, 2, NOW, burst=1), waits=True) == 900.0
