"""Labels of chats that wagate keeps itself; the same on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.rows import NOW, intake
from wagate.errors import ConflictError, NotFoundError, UnprocessableError
from wagate.storage.database import Database
from wagate.storage.events.intake import store
from wagate.storage.owners.accounts import NewAccount, create_account, delete_account
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows
from wagate.storage.threads.contacts import Person, note_people
from wagate.storage.threads.labels import (
    MOST_LABELS,
    LabelRow,
    add_label,
    change_label,
    chats_with,
    delete_label,
    label_chat,
    labels_of,
    list_labels,
)
from wagate.storage.upkeep.retention import Ages, sweep

PHONE, LID, GROUP = "15550001111@c.us", "990000001@lid", "120363000000000001@g.us"


async def account(database: Database, name: str = "main") -> str:
    await database.write(ensure_default_client, now=NOW)
    made = await database.write(create_account, NewAccount(name=name, client_id=1, provider="meta"), now=NOW)
    return made.id


async def put(database: Database, account_id: str, chat: str, *labels: str) -> None:
    await database.write(label_chat, account_id, chat, labels, client_id=1, now=NOW)


async def of_chat(database: Database, account_id: str, chat: str) -> list[str]:
    return [each.id for each in await database.read(labels_of, account_id, chat, client_id=1)]


async def chats(database: Database, account_id: str, label: str, most: int = 10) -> list[str]:
    return await database.read(chats_with, account_id, label, client_id=1, most=most)


async def test_labels_are_made_changed_listed_and_deleted_and_no_id_comes_again(database: Database) -> None:
    main, other = await account(database), await account(database, "other")
    new = await database.write(add_label, main, name="New\0", color=0)
    paid = await database.write(add_label, main, name="Paid", color=3)
    assert (new, paid) == (LabelRow("1", "New�", 0), LabelRow("2", "Paid", 3))
    assert await database.read(list_labels, other) == []
    assert (await database.write(add_label, other, name="New", color=0)).id == "1"

    assert await database.write(change_label, main, "2", name="Late", color=None) == LabelRow("2", "Late", 3)
    assert await database.write(change_label, main, "2", name="Late", color=19) == LabelRow("2", "Late", 19)
    await put(database, main, PHONE, "1", "2")
    await database.write(delete_label, main, "2")
    assert await of_chat(database, main, PHONE) == ["1"]
    assert (await database.write(add_label, main, name="Next", color=1)).id == "3"
    assert [each.id for each in await database.read(list_labels, main)] == ["1", "3"]
    for missing in ("2", "none", "1\0", "9" * 40):
        with pytest.raises(NotFoundError):
            await database.write(delete_label, main, missing)
        with pytest.raises(NotFoundError):
            await database.write(change_label, main, missing, name="A", color=1)
        with pytest.raises(NotFoundError):
            await chats(database, main, missing)
    with pytest.raises(NotFoundError):
        await database.write(add_label, "no-such-account", name="A", color=1)


async def test_an_account_has_twenty_and_lists_them_in_the_order_in_which_they_were_made(database: Database) -> None:
    main = await account(database)
    for number in range(MOST_LABELS):
        await database.write(add_label, main, name=f"Label {number}", color=number)
    with pytest.raises(ConflictError, match="20 labels"):
        await database.write(add_label, main, name="One more", color=0)
    assert [each.id for each in await database.read(list_labels, main)] == [str(n) for n in range(1, 21)]
    await database.write(delete_label, main, "7")
    assert (await database.write(add_label, main, name="One more", color=0)).id == "21"


async def test_a_chats_labels_are_replaced_and_an_unknown_one_changes_nothing(database: Database) -> None:
    main = await account(database)
    for name in ("A", "B"):
        await database.write(add_label, main, name=name, color=0)
    await put(database, main, GROUP, "1", "2", "1")
    await put(database, main, PHONE, "2")
    assert (await of_chat(database, main, GROUP), await of_chat(database, main, PHONE)) == (["1", "2"], ["2"])
    assert await chats(database, main, "2") == [GROUP, PHONE]
    assert await chats(database, main, "2", most=1) == [GROUP]
    with pytest.raises(UnprocessableError) as caught:
        await put(database, main, GROUP, "3")
    assert [each.field for each in caught.value.errors] == ["labels"]
    assert await of_chat(database, main, GROUP) == ["1", "2"]
    await put(database, main, GROUP)
    assert await chats(database, main, "1") == []


async def test_a_persons_labels_are_found_under_each_of_their_keys(database: Database) -> None:
    main = await account(database)
    for name in ("A", "B"):
        await database.write(add_label, main, name=name, color=0)
    await put(database, main, PHONE, "1")
    await put(database, main, LID, "2")
    person = Person(client_id=1, keys=(LID, PHONE), name="Ana")
    await database.write(note_people, [person], now=NOW)
    assert await of_chat(database, main, LID) == await of_chat(database, main, PHONE) == ["1", "2"]
    await put(database, main, LID, "1")
    assert await of_chat(database, main, PHONE) == ["1"]
    assert await chats(database, main, "1") == [PHONE]
    assert await chats(database, main, "2") == []


async def test_labels_go_with_their_account(database: Database) -> None:
    main, other = await account(database), await account(database, "other")
    for each in (main, other):
        await database.write(add_label, each, name="A", color=0)
        await put(database, each, PHONE, "1")
    await database.write(delete_account, "main")
    for table in ("labels", "labeled_chats", "label_numbers"):
        assert await database.read(rows, f"SELECT DISTINCT account_id FROM {table}") == [(other,)], table


async def test_labels_of_chats_of_which_nothing_else_is_kept_are_forgotten(database: Database) -> None:
    main = await account(database)
    await database.write(add_label, main, name="A", color=0)
    await database.write_bulk(store, intake(chat=GROUP, created_at=NOW + timedelta(days=20)))
    await put(database, main, PHONE, "1")
    await put(database, main, GROUP, "1")
    gone = await sweep(database, Ages(), now=NOW + timedelta(days=29))
    assert gone["labeled_chats"] == 0
    gone = await sweep(database, Ages(), now=NOW + timedelta(days=31))
    assert (gone["labeled_chats"], await chats(database, main, "1")) == (1, [GROUP])
    gone = await sweep(database, Ages(), now=NOW + timedelta(days=60))
    assert (gone["labeled_chats"], await chats(database, main, "1")) == (1, [])
    assert len(await database.read(list_labels, main)) == 1
