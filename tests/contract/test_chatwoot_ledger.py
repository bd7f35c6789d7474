"""The ledger of Chatwoot's messages on a real database: found from every side, kept as long as it should be."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tests.storing import open_database
from wagate.clock import Clock
from wagate.context.store import PluginStore
from wagate_chatwoot.ledger import Entry, Handed, Ledger, Place

CHAT = "5511999999999@c.us"


def entry(message: int) -> Entry:
    return Entry(message=message, conversation=4, direction="out", account="main", chat=CHAT, whatsapp=(f"w{message}",))


async def test_a_message_is_found_by_each_of_its_ids_and_in_its_inbox_alone(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        store = PluginStore("chatwoot", database, Clock())
        ledger = Ledger(store, "desk")
        await ledger.write(entry(1))
        await ledger.hand(1, Handed(parts=("part-a", "")))
        for found in (
            await ledger.by_message(1),
            await ledger.by_whatsapp("main", "w1", [CHAT]),
            await ledger.by_part("part-a"),
        ):
            assert found == entry(1)
        assert await ledger.by_whatsapp("other", "w1", [CHAT]) is None
        assert await Ledger(store, "desk2").by_message(1) is None


async def test_what_is_old_is_forgotten_but_not_what_waits_or_is_set_up(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        clock = Clock()
        store = PluginStore("chatwoot", database, clock)
        ledger = Ledger(store, "desk")
        place = Place(contact=3, source_id=CHAT, conversation=4)
        await ledger.write(entry(1))
        await ledger.put_place("main", CHAT, place)
        await ledger.wait(4, 9, {"content": "not sent yet"})
        await store.set("desk/paused", value=True)
        clock.shift(100)
        await ledger.write(entry(2))
        assert await ledger.forget(50) == 4
        assert await ledger.by_message(1) is None
        assert await ledger.place("main", CHAT) is None
        assert await ledger.by_whatsapp("main", "w2", [CHAT]) == entry(2)
        assert [message for message, _ in await ledger.waiting(4)] == [9]
        assert await store.get("desk/paused") is True


async def test_a_bare_id_is_looked_for_in_its_chat_and_a_long_one_everywhere(tmp_path: Path, database_url: str) -> None:
    long, group, lid = "3EB0C767D26A1D8B7B27", "120363000000000001@g.us", "70000000000001@lid"
    async with open_database(database_url, tmp_path) as database:
        ledger = Ledger(PluginStore("chatwoot", database, Clock()), "desk")
        ours = Entry(message=1, conversation=4, direction="out", account="main", chat=group)
        await ledger.write(replace(ours, whatsapp=(f"true_{group}_{long}",)))
        for number, chat in ((2, CHAT), (3, lid)):
            await ledger.write(replace(entry(number), direction="in", chat=chat, whatsapp=(f"false_{chat}_1",)))

        async def found(whatsapp: str, *chats: str, anywhere: bool = True) -> int | None:
            row = await ledger.by_whatsapp("main", whatsapp, chats, anywhere=anywhere)
            return None if row is None else row.message

        assert await found(f"true_{group}_{long}_5511888888888@c.us", group) == 1
        assert await found(f"true_{lid}_{long}", lid) == 1
        assert await found(f"false_{lid}_{long}", lid, anywhere=False) is None
        assert (await found("1", CHAT), await found("1", lid), await found("1", group)) == (2, 3, None)
        assert await found("1", group, lid) == 3


async def test_what_an_older_version_wrote_by_whole_ids_is_found(tmp_path: Path, database_url: str) -> None:
    async with open_database(database_url, tmp_path) as database:
        store = PluginStore("chatwoot", database, Clock())
        ledger = Ledger(store, "desk")
        await ledger.write(replace(entry(1), whatsapp=()))
        await store.set(f"desk/wa/main/true_{CHAT}_A", 1)
        found = await ledger.by_whatsapp("main", f"true_{CHAT}_A", [CHAT])
        assert found == replace(entry(1), whatsapp=())
