"""The hot path, on both databases."""

from __future__ import annotations

import msgspec
import trio

from tests.rows import NOW, event, id_of, intake, route
from wagate.errors import StorageError
from wagate.events import Media, SessionChange
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake, Stored, store
from wagate.storage.fields import as_time
from wagate.storage.statement import rows, run


async def put(database: Database, *items: Intake) -> list[Stored]:
    """As many waiting calls, which become one bulk call."""
    stored: dict[str, Stored] = {}

    async def one(item: Intake) -> None:
        stored[item.event.id] = await database.write_bulk(store, item)

    async with trio.open_nursery() as nursery:
        for item in items:
            nursery.start_soon(one, item)
    return [stored[item.event.id] for item in items]


async def test_an_event_and_its_deliveries_are_stored_as_they_came(database: Database) -> None:
    item = msgspec.structs.replace(
        intake(
            routes=(route(), route("n8n:1", mode="pull", expires_at=NOW)),
            media=Media(mimetype="image/png", size=7),
            extra={"ack": 2},
            metadata={"inbox": 1},
            from_me=True,
        ),
        raw=b"\x00\xff raw",
    )
    stored = await database.write_bulk(store, item)
    assert stored.event_id == item.event.id
    assert stored.job_id == item.routes[1].delivery_id
    assert [each.delivery_id for each in stored.deliveries] == [each.delivery_id for each in item.routes]
    ((kind, from_me, media, extra, raw, created_at),) = await database.read(
        rows, "SELECT kind, from_me, media, extra, raw, created_at FROM events"
    )
    assert (kind, bool(from_me), media, extra) == (
        "message",
        True,
        '{"mimetype":"image/png","size":7}',
        '{"ack":2}',
    )
    assert bytes(raw) == b"\x00\xff raw"
    assert as_time(created_at) == NOW
    found = await database.read(rows, "SELECT mode, status, seq, settled, attempt_count FROM deliveries ORDER BY mode")
    assert [(m, s, q, bool(b), n) for m, s, q, b, n in found] == [
        ("pull", "pending", 1, False, 0),
        ("push", "pending", 1, False, 0),
    ]


async def test_a_duplicate_gets_the_first_ones_ids_and_stores_nothing(database: Database) -> None:
    first = intake("k1", routes=(route("n8n:1", mode="pull"),))
    stored = await database.write_bulk(store, first)
    again = await database.write_bulk(store, intake("k1", routes=(route("n8n:1", mode="pull"),)))
    assert again == Stored(event_id=stored.event_id, job_id=stored.job_id, duplicate=True)
    assert await database.read(rows, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM deliveries)") == [
        (1, 1)
    ]


async def test_duplicates_inside_one_batch_are_stored_once(database: Database) -> None:
    items = [intake(f"k{number % 5}") for number in range(100)]
    stored = await database.write(store, items)
    first = {item.dedupe_key: item.event.id for item in reversed(items)}
    assert [each.event_id for each in stored] == [first[item.dedupe_key] for item in items]
    assert [each.duplicate for each in stored] == [False] * 5 + [True] * 95
    assert await database.read(rows, "SELECT count(*) FROM events") == [(5,)]


async def test_events_without_a_key_are_never_duplicates(database: Database) -> None:
    stored = await put(database, *[intake() for _ in range(3)])
    assert not any(each.duplicate for each in stored)
    assert await database.read(rows, "SELECT count(*) FROM events") == [(3,)]


async def test_each_key_counts_its_deliveries_in_the_order_of_arrival(database: Database) -> None:
    items = [intake(chat=f"{number % 40}@c.us") for number in range(200)]
    await database.write(store, items[:90])
    await database.write(store, items[90:])
    order = {item.routes[0].delivery_id: number for number, item in enumerate(items)}
    found = await database.read(rows, "SELECT key, seq, id FROM deliveries")
    for key in {key for key, _, _ in found}:
        mine = sorted((seq, order[each]) for k, seq, each in found if k == key)
        assert [seq for seq, _ in mine] == [1, 2, 3, 4, 5]
        assert mine == sorted(mine, key=lambda pair: pair[1])


async def test_one_bad_item_of_a_batch_costs_only_itself(database: Database) -> None:
    good = [intake("a"), intake("b"), intake()]
    bad = msgspec.structs.replace(intake("c"), event=event(id=good[0].event.id))
    outcomes: list[object] = []

    async def one(item: Intake) -> None:
        try:
            outcomes.append(await database.write_bulk(store, item))
        except StorageError as error:
            outcomes.append(error)

    await database.write(store, good[:1])
    async with trio.open_nursery() as nursery:
        for item in (bad, *good[1:]):
            nursery.start_soon(one, item)
    assert sum(isinstance(each, Stored) for each in outcomes) == 2
    assert await database.read(rows, "SELECT count(*) FROM events") == [(3,)]
    # The key of the bad one was not claimed: it may come again.
    assert await database.read(rows, "SELECT key FROM dedupe ORDER BY key") == [("a",), ("b",)]


async def test_text_that_databases_refuse_is_replaced_and_the_raw_bytes_kept(database: Database) -> None:
    item = msgspec.structs.replace(
        intake(
            content="a\0b\ud800c\ud83d\ude00",
            contact_name="\udfff",
            chat="x\0@c.us",
            extra={"k\0": ["\ud800", 10**40, 1e300]},
        ),
        raw=b"\0\xed\xa0\x80",
    )
    await database.write_bulk(store, item)
    ((content, name, chat, extra, raw),) = await database.read(
        rows, "SELECT content, contact_name, chat, extra, raw FROM events"
    )
    assert content == "a\ufffdb\ufffdc\U0001f600"
    assert name == "\ufffd"
    assert chat == "x\ufffd@c.us"
    assert msgspec.json.decode(extra) == {"k\ufffd": ["\ufffd", 10**40, 1e300]}
    assert bytes(raw) == b"\0\xed\xa0\x80"


def add_account(db: object, name: str) -> None:
    run(
        db,
        "INSERT INTO clients (slug, created_at, updated_at) VALUES (?, ?, ?)",
        ("default", NOW.isoformat(), NOW.isoformat()),
    )
    run(
        db,
        "INSERT INTO accounts (id, name, client_id, provider, created_at, updated_at) "
        "VALUES (?, ?, 1, 'session', ?, ?)",
        (id_of(name), name, NOW.isoformat(), NOW.isoformat()),
    )


async def state(database: Database) -> tuple[object, ...]:
    (found,) = await database.read(rows, "SELECT status, message, qr, qr_at, percent, ever_connected FROM accounts")
    return (*found[:3], as_time(found[3]), found[4], bool(found[5]))


def changing(change: SessionChange) -> Intake:
    return msgspec.structs.replace(intake(kind="session.status", routes=()), session=change)


async def test_the_session_state_follows_in_the_same_commit(database: Database) -> None:
    await database.write(add_account, "main")
    (stored,) = await put(database, changing(SessionChange(status="qr_generated", message="scan", qr="1@AB")))
    assert stored.session_changed
    assert await state(database) == ("qr_generated", "scan", "1@AB", NOW, None, False)
    await put(database, changing(SessionChange(status="loading", percent=75, qr="stale")))
    assert await state(database) == ("loading", "", None, None, 75, False)
    await put(database, changing(SessionChange(status="session_connected")))
    late = SessionChange(status="loading", percent=90, unless=frozenset({"session_connected", "auth_failure"}))
    (stored,) = await put(database, changing(late))
    assert not stored.session_changed
    await put(database, changing(SessionChange(status="error", message="x")))
    assert await state(database) == ("error", "x", None, None, None, True)


async def test_a_duplicate_does_not_change_the_session(database: Database) -> None:
    await database.write(add_account, "main")
    connected = msgspec.structs.replace(changing(SessionChange(status="session_connected")), dedupe_key="k")
    await put(database, connected)
    again = msgspec.structs.replace(changing(SessionChange(status="error")), dedupe_key="k")
    (stored,) = await put(database, again)
    assert stored.duplicate
    assert (await state(database))[0] == "session_connected"
