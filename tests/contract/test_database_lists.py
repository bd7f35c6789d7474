"""Lists, idempotency keys, plugin records and retention, on both databases."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.rows import NOW, intake, route
from wagate.context.deliveries import view_of
from wagate.errors import NotFoundError
from wagate.events import Media
from wagate.rules.filters import HANDED, LOST, DeliveryFilter
from wagate.storage.audit import Act, write_act
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import add_bulk, stop_bulk
from wagate.storage.events.intake import Intake, store
from wagate.storage.events.listing import get_delivery, get_event, list_deliveries, raw_body, search_deliveries
from wagate.storage.fields import time_text
from wagate.storage.idempotency import Begun, InFlight, Mismatch, Replay, begin, finish, forget
from wagate.storage.owners.accounts import NewAccount, create_account, hold
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.plugin_records import delete_record, get_record, list_records, set_record
from wagate.storage.statement import rows, run
from wagate.storage.upkeep.retention import Ages, sweep
from wagate.testing import FakeDeliveries

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def put(database: Database, *items: Intake) -> None:
    await database.write(store, list(items))


async def test_an_event_is_read_back_as_it_was_stored(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    made = intake(
        media=Media(mimetype="image/png", url="https://x", size=3),
        extra={"ack": 2, "big": 10**30},
        metadata={"inbox": 1},
        contact_name="Zoë",
        reply_to="wamid.0",
        from_me=True,
    )
    await put(database, made)
    assert await database.read(get_event, made.event.id) == made.event
    assert await database.read(raw_body, made.event.id) == b"{}"
    with pytest.raises(NotFoundError):
        await database.read(get_event, made.event.id, client_id=2)


async def test_a_search_for_a_text_stops_at_its_bound_and_goes_on_from_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eleven, the newest is another chat's; numbers 1, 5 and 6 have the text."""
    monkeypatch.setattr("wagate.storage.events.listing.SEARCHED", 4)
    items = [intake(chat="1@c.us", routes=(route(chat="1@c.us"),)) for _ in range(10)]
    await put(database, *items, intake(chat="2@c.us", routes=(route(chat="2@c.us"),)))
    ids = [item.routes[0].delivery_id for item in items]
    for number in (1, 5, 6):
        await database.write(run, "UPDATE deliveries SET error = ? WHERE id = ?", ("No 50% Left", ids[number]))
    which, seen = DeliveryFilter(chat="1@c.us", error="50% left"), list[Any]()

    async def look(cursor: str | None, limit: int = 50) -> str | None:
        found = await database.browse(search_deliveries, which, client_id=1, limit=limit, cursor=cursor)
        seen.append(([ids.index(each.delivery.id) for each in found.data], found.looked))
        return found.next_cursor or found.further

    cursor: str | None = None
    for _ in range(3):
        cursor = await look(cursor)
    assert (seen, cursor) == ([([6], 4), ([5], 4), ([1], 2)], None)
    seen.clear()
    assert await look(ids[7], limit=1) == ids[6]
    assert await look(ids[6], limit=1) == ids[2]
    assert seen == [([6], 4), ([5], 4)]
    assert (await database.browse(search_deliveries, which, client_id=2, limit=1)).data == []


async def test_what_was_handed_on_is_found_by_when_that_was_and_what_failed_of_one_number_is_no_receivers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first was stored long before it was delivered; the second likewise, by a number."""
    monkeypatch.setattr("wagate.storage.events.listing.SEARCHED", 2)
    targets = ("webhook:w1", "outbound:a1", "webhook:w1", "webhook:w1")
    items = [intake(routes=(route(target),)) for target in targets]
    await put(database, *items)
    ids = [item.routes[0].delivery_id for item in items]
    for number, ago in ((0, HOUR / 2), (1, HOUR / 2), (2, 2 * HOUR)):
        text = "UPDATE deliveries SET status = 'delivered', settled = ?, delivered_at = ? WHERE id = ?"
        await database.write(run, text, (True, time_text(NOW - ago), ids[number]))
    which, seen, cursor = DeliveryFilter(status=HANDED, since=NOW - HOUR), list[str](), None
    while True:
        found = await database.browse(search_deliveries, which, client_id=None, limit=50, cursor=cursor)
        seen += [each.delivery.id for each in found.data]
        if (cursor := found.next_cursor or found.further) is None:
            break
    assert seen == [ids[0]]
    assert [each.delivery.id for each in (await database.read(list_deliveries, which, limit=9)).data] == [ids[0]]
    whole = await database.read(list_deliveries, DeliveryFilter(status=HANDED, until=NOW - HOUR), limit=9)
    assert [each.delivery.id for each in whole.data] == [ids[2]]
    await database.write(run, "UPDATE deliveries SET status = 'failed', settled = ?", (True,))
    for handler, count in ((None, 3), ("outbound", 1), ("webhook", 3)):
        lost = await database.read(list_deliveries, DeliveryFilter(status=LOST, handler=handler), limit=9)
        assert len(lost.data) == count, handler


async def test_deliveries_are_listed_newest_first_page_by_page(database: Database) -> None:
    items = [intake(chat=f"{n % 2}@c.us") for n in range(7)]
    await put(database, *items)
    seen, cursor = [], None
    while True:
        page = await database.read(list_deliveries, limit=3, cursor=cursor)
        seen += [each.event.id for each in page.data]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == [item.event.id for item in reversed(items)]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, {0, 1, 2, 3, 4}),
        ({"handler": "n8n"}, {1}),
        ({"handler": "webhook", "target": "w2"}, {2}),
        ({"target": "w2"}, {2}),
        ({"handler": "n8n", "target": "w2"}, set()),
        ({"account": "second"}, {3}),
        ({"chat": "2@c.us"}, {2}),
        ({"message_id": "wamid.3"}, {3}),
        ({"status": "failed"}, {0}),
        ({"error": "error (503)"}, {0}),
        ({"error": "50_"}, set()),
        ({"stuck": True}, set()),
        ({"since": NOW + 3 * HOUR}, {3, 4}),
        ({"until": NOW + HOUR}, {0}),
        ({"status": "pending", "handler": "webhook"}, {2, 3, 4}),
    ],
)
async def test_deliveries_are_filtered(database: Database, which: dict[str, Any], expected: set[int]) -> None:
    routes = [route(), route("n8n:1", mode="pull"), route("webhook:w2"), route(), route()]
    accounts = ["main", "main", "main", "second", "main"]
    items = [
        intake(
            routes=(routes[n],),
            account=accounts[n],
            client_id=2 if n == 4 else 1,
            chat=f"{n}@c.us",
            message_id=f"wamid.{n}",
            created_at=NOW + n * HOUR,
        )
        for n in range(5)
    ]
    await put(database, *items)
    await database.write(
        run,
        "UPDATE deliveries SET status = 'failed', error = 'Server error (503)' WHERE id = ?",
        (routes[0].delivery_id,),
    )
    page = await database.read(list_deliveries, DeliveryFilter(**which), limit=50)
    found = [[each.delivery_id for each in routes].index(detail.delivery.id) for detail in page.data]
    assert found == sorted(expected, reverse=True)
    assert [detail.event.id for detail in page.data] == [items[n].event.id for n in found]
    fake = FakeDeliveries()
    everything = await database.read(list_deliveries, limit=50)
    fake.rows = [view_of(each) for each in reversed(everything.data)]
    told = await fake.page(DeliveryFilter(**which), client_id=None, limit=50)
    assert [each.id for each in told.data] == [detail.delivery.id for detail in page.data]
    theirs = await database.read(list_deliveries, DeliveryFilter(**which), client_id=2, limit=50)
    assert [detail.event.id for detail in theirs.data] == [items[n].event.id for n in found if n == 4]


async def test_a_delivery_comes_with_its_attempts_and_is_found_by_its_event(database: Database) -> None:
    item = intake()
    await put(database, item)
    delivery_id = item.routes[0].delivery_id
    for number in (1, 2):
        await database.write(
            run,
            "INSERT INTO attempts (delivery_id, number, started_at, duration_ms, http_status, error) "
            "VALUES (?, ?, ?, 12, 503, 'Server error (503)')",
            (delivery_id, number, NOW.isoformat()),
        )
    found = await database.read(get_delivery, delivery_id, client_id=1)
    assert [(a.number, a.started_at, a.http_status) for a in found.attempts] == [(1, NOW, 503), (2, NOW, 503)]
    assert await database.read(get_delivery, item.event.id) == found
    with pytest.raises(NotFoundError):
        await database.read(get_delivery, delivery_id, client_id=2)


async def test_an_idempotency_key_answers_the_same_again(database: Database) -> None:
    mine = {"client": "1", "key": "k"}
    assert await database.write(begin, **mine, body_hash="h", now=NOW) == Begun()
    assert await database.write(begin, **mine, body_hash="h", now=NOW) == InFlight()
    assert await database.write(begin, client="2", key="k", body_hash="h", now=NOW) == Begun()
    await database.write(finish, **mine, status=201, content_type="application/json", body=b'{"id":1}')
    assert await database.write(begin, **mine, body_hash="h", now=NOW + HOUR) == Replay(
        201, "application/json", b'{"id":1}'
    )
    assert await database.write(begin, **mine, body_hash="other", now=NOW) == Mismatch()
    await database.write(forget, **mine)
    assert await database.write(begin, **mine, body_hash="other", now=NOW) == Mismatch()
    assert await database.write(begin, **mine, body_hash="other", now=NOW + 25 * HOUR) == Begun()
    await database.write(forget, **mine)
    assert await database.write(begin, **mine, body_hash="h", now=NOW) == Begun()


async def test_a_key_whose_process_died_can_be_used_again(database: Database) -> None:
    mine = {"client": "1", "key": "k", "body_hash": "h"}
    await database.write(begin, **mine, now=NOW)
    assert await database.write(begin, **mine, now=NOW + timedelta(seconds=59)) == InFlight()
    assert await database.write(begin, **mine, now=NOW + timedelta(seconds=61)) == Begun()


async def test_a_plugins_records_are_its_own(database: Database) -> None:
    for key, value in (("chat/a", {"n": 1}), ("chat/b", [1, "\0"]), ("Chat/c", None), ("x", "y")):
        await database.write(set_record, "chatwoot", key, value, now=NOW)
    await database.write(set_record, "chatwoot", "chat/a", 7, now=NOW)
    await database.write(set_record, "other", "chat/a", 8, now=NOW)
    assert await database.read(list_records, "chatwoot", "chat/") == {"chat/a": 7, "chat/b": [1, "\ufffd"]}
    assert await database.read(get_record, "chatwoot", "x") == "y"
    assert await database.write(delete_record, "chatwoot", "x")
    assert not await database.write(delete_record, "chatwoot", "x")
    assert await database.read(get_record, "chatwoot", "x") is None


async def test_old_events_go_but_for_those_that_wait_or_failed(database: Database) -> None:
    waiting, done, failed, young, unrouted = items = [
        intake("w"),
        intake("d"),
        intake("f"),
        intake("y", created_at=NOW + 20 * DAY),
        msgspec.structs.replace(intake("u", routes=()), unrouted=True),
    ]
    await put(database, *items)
    for item, status in ((done, "delivered"), (failed, "failed"), (young, "delivered")):
        text = "UPDATE deliveries SET status = ?, settled = ? WHERE event_id = ?"
        await database.write(run, text, (status, True, item.event.id))
    await database.write(begin, client="1", key="k", body_hash="h", now=NOW)
    gone = await sweep(database, Ages(), now=NOW + 31 * DAY)
    assert gone | {"events": 1, "dedupe": 5, "idempotency": 1, "lanes": 0} == gone
    left = {each for (each,) in await database.read(rows, "SELECT id FROM events")}
    assert left == {item.event.id for item in (waiting, failed, young, unrouted)}
    await database.write(run, "UPDATE deliveries SET settled = ?, status = 'delivered'", (True,))
    await database.write(run, "UPDATE events SET unrouted = ?", (False,))
    gone = await sweep(database, Ages(), now=NOW + 91 * DAY)
    assert gone["events"] == 4
    assert await database.read(rows, "SELECT count(*) FROM deliveries") == [(0,)]


async def test_failed_events_are_kept_for_their_own_time(database: Database) -> None:
    item = intake()
    await put(database, item)
    await database.write(run, "UPDATE deliveries SET status = 'failed', settled = ?", (True,))
    assert (await sweep(database, Ages(), now=NOW + 89 * DAY))["events"] == 0
    assert (await sweep(database, Ages(), now=NOW + 91 * DAY))["events"] == 1


async def test_retention_works_in_slices_and_keeps_lanes_where_something_waits(database: Database) -> None:
    items = [intake(f"k{n}", chat=f"{n}@c.us") for n in range(1100)]
    await put(database, *items)
    text = "UPDATE deliveries SET status = 'delivered', settled = ? WHERE id <> ?"
    await database.write(run, text, (True, items[7].routes[0].delivery_id))
    before = database.counts.commits
    gone = await sweep(database, Ages(dedupe=timedelta(0)), now=NOW + 31 * DAY)
    assert gone | {"events": 1099, "dedupe": 1100, "idempotency": 0, "lanes": 1099} == gone
    assert database.counts.commits - before >= 3 + 3
    assert await database.read(rows, "SELECT key, seq FROM lanes") == [(items[7].routes[0].key, 1)]
    again = intake(chat="7@c.us")
    await put(database, again)
    assert await database.read(rows, "SELECT seq FROM deliveries WHERE id = ?", (again.routes[0].delivery_id,)) == [
        (2,)
    ]


async def test_duplicates_are_known_for_seven_days_at_least(database: Database) -> None:
    await put(database, intake("k"))
    assert (await sweep(database, Ages(dedupe=timedelta(0)), now=NOW + 6 * DAY))["dedupe"] == 0


async def test_who_did_what_goes_with_what_failed_and_the_leases_of_deleted_accounts_at_once(
    database: Database,
) -> None:
    act = Act(client_id=None, who="admin", action="pause", object="webhook:1", address="", created_at=NOW)
    for made in (act, msgspec.structs.replace(act, created_at=NOW + 50 * DAY)):
        await database.write(write_act, made)
    over, running = [
        await database.write(
            partial(add_bulk, total=1, who="admin", client_id=None, now=NOW), "retry", DeliveryFilter(), until
        )
        for until in ("1", "2")
    ]
    await database.write(partial(stop_bulk, client_id=None, now=NOW), over)
    await database.write(ensure_default_client, now=NOW)
    kept = await database.write(create_account, NewAccount(name="main", client_id=1, provider="session"), now=NOW)
    await database.write(partial(hold, now=NOW, until=NOW + HOUR), [kept.id, "gone"], "1")
    left = [await _left(database)]
    for days in (89, 91):
        await sweep(database, Ages(), now=NOW + days * DAY)
        left.append(await _left(database))
    assert left == [(4, {over, running}, {kept.id, "gone"}), (4, {over, running}, {kept.id}), (1, {running}, {kept.id})]


async def _left(database: Database) -> tuple[int, set[str], set[str]]:
    """How many acts of persons, which acts on many, whose leases."""
    [(acts,)] = await database.read(rows, "SELECT count(*) FROM audit")
    bulk = {each for (each,) in await database.read(rows, "SELECT id FROM bulk")}
    return acts, bulk, {each for (each,) in await database.read(rows, "SELECT account_id FROM holders")}
