"""Messages to send in the tables: submitted once, forwards only, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from uuid_utils import uuid7

from tests.rows import NOW, event, id_of, route
from wagate.errors import NotFoundError
from wagate.events.acks import ack_extra
from wagate.rules.filters import MessageFilter
from wagate.storage.database import Database
from wagate.storage.deliveries.by_hand import cancel
from wagate.storage.events.intake import Intake, store
from wagate.storage.outbox.messages import (
    MessageRow,
    Submission,
    find_by_key,
    get_message,
    list_messages,
    own_account,
    submit,
)
from wagate.storage.outbox.sending import (
    LOST,
    Began,
    Ended,
    Report,
    Took,
    begin_sending,
    given_up,
    reopen,
    store_reports,
    unreported,
    write_ended,
    write_sent,
)
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.statement import rows, run
from wagate.storage.upkeep.retention import Ages, sweep

CHAT = "5511999999999@c.us"


def submission(key: str | None = None, **fields: Any) -> Submission:
    message_id = str(uuid7())
    made = event(kind="message.send", message_id=message_id, **fields)
    target = route(f"outbound:{made.account}", chat=made.chat)
    intake = Intake(event=made, routes=(target,))
    return Submission(
        id=message_id, intake=intake, message={"chat": made.chat, "type": "text"}, source="api", source_key=key
    )


def took(item: Submission, provider_id: str = "p1", **fields: Any) -> Took:
    told = Intake(event=event(kind="message.any", message_id=provider_id), dedupe_key=f"key of {provider_id}")
    made = {
        "id": item.id,
        "account": "main",
        "account_id": id_of("main"),
        "provider": "meta",
        "provider_id": provider_id,
        "intake": told,
        "now": NOW,
    }
    return Took(**(made | fields))


def began(item: Submission, status: str = "queued") -> Began:
    return Began(id=item.id, status=status, account="main", account_id=id_of("main"), provider="meta", now=NOW)


async def ack(database: Database, status: str, provider_id: str = "p1", *, reference: str = "", **fields: Any) -> None:
    made = event(kind="message.ack", message_id=provider_id, extra=ack_extra(status), **fields)
    await database.write_bulk(store, Intake(event=made, reference=reference))


async def submitted(database: Database, **fields: Any) -> Submission:
    item = submission(**fields)
    await database.write_bulk(submit, item)
    return item


async def row(database: Database, item: Submission) -> MessageRow:
    return await database.read(get_message, item.id)


async def test_a_message_comes_with_its_event_and_its_delivery(database: Database) -> None:
    item = submission()
    done = await database.write_bulk(submit, item)
    assert done.id == item.id
    assert done.stored is not None
    assert [each.target_id for each in done.stored.deliveries] == ["outbound:main"]
    found = await row(database, item)
    assert (found.status, found.event_id, found.attempts, found.told) == ("queued", item.intake.event.id, 0, False)
    assert found.delivery_id == done.stored.deliveries[0].delivery_id
    assert found.message == {"chat": CHAT, "type": "text"}


async def test_a_key_counts_once_also_within_one_commit(database: Database) -> None:
    first, again, other = submission("k"), submission("k"), submission("l")
    done = await database.write(submit, [first, again, other])
    assert [each.id for each in done] == [first.id, first.id, other.id]
    assert [each.stored is None for each in done] == [False, True, False]
    later = await database.write_bulk(submit, submission("k"))
    assert (later.id, later.stored) == (first.id, None)
    theirs = submission("k", client_id=2)
    assert (await database.write_bulk(submit, theirs)).id == theirs.id
    assert await database.read(rows, "SELECT COUNT(*) FROM deliveries") == [(3,)]
    found = await database.read(find_by_key, "api", 1, "k")
    assert found is not None
    assert found.id == first.id
    assert await database.read(find_by_key, "api", 1, "nothing") is None


async def test_lists_are_the_clients_own_newest_first(database: Database) -> None:
    items = [await submitted(database, chat=f"{number % 2}@c.us") for number in range(5)]
    await submitted(database, client_id=2)
    page = await database.read(list_messages, client_id=1, limit=3)
    assert [each.id for each in page.data] == [each.id for each in items[:1:-1]]
    rest = await database.read(list_messages, client_id=1, limit=3, cursor=page.next_cursor)
    assert ([each.id for each in rest.data], rest.next_cursor) == ([items[1].id, items[0].id], None)
    of_chat = await database.read(list_messages, MessageFilter(chat="1@c.us", status="queued"), limit=9)
    assert [each.id for each in of_chat.data] == [items[3].id, items[1].id]
    with pytest.raises(NotFoundError):
        await database.read(get_message, items[0].id, client_id=2)


async def test_only_one_may_begin(database: Database) -> None:
    item = await submitted(database)
    assert await database.write(begin_sending, [began(item), began(item)]) == [True, False]
    assert (await row(database, item)).attempts == 1
    assert await database.write_bulk(begin_sending, began(item, "sending"))
    assert (await row(database, item)).attempts == 2


async def test_what_was_cancelled_is_not_begun(database: Database) -> None:
    """Its delivery was being tried when somebody cancelled it: it fetched a file, say."""
    item = await submitted(database)
    await database.write(cancel, (await row(database, item)).delivery_id, now=NOW)
    assert not await database.write_bulk(begin_sending, began(item))
    assert (await row(database, item)).attempts == 0


async def test_sent_comes_with_its_event_once(database: Database) -> None:
    item = await submitted(database)
    await database.write_bulk(begin_sending, began(item))
    stored = await database.write_bulk(write_sent, took(item))
    assert stored is not None
    found = await row(database, item)
    assert (found.status, found.provider_id, found.sent_at, found.told) == ("sent", "p1", NOW, True)
    assert await database.write_bulk(write_sent, took(item)) is None
    echoed = await submitted(database)
    await database.write_bulk(store, Intake(event=event(), dedupe_key="key of p2"))
    stored = await database.write_bulk(write_sent, took(echoed, "p2"))
    assert stored is not None
    assert stored.duplicate


ORDER = ["sent", "delivered", "read"]


@pytest.mark.parametrize("before", ["queued", "sending", "unknown", "sent", "delivered", "read", "failed"])
@pytest.mark.parametrize("reported", ["pending", "sent", "delivered", "read", "played", "failed"])
async def test_a_report_only_goes_forwards(database: Database, before: str, reported: str) -> None:
    item = await submitted(database)
    text = "UPDATE messages SET status = ?, provider_id = 'p1', bare_id = 'p1', error = 'why' WHERE id = ?"
    await database.write(run, text, (before, item.id))
    await ack(database, reported)
    expected = before
    word = "read" if reported == "played" else reported
    if word == "failed":
        expected = "failed" if before in {"sending", "unknown", "sent"} else before
    elif word in ORDER:
        forward = before not in ORDER or ORDER.index(word) > ORDER.index(before)
        expected = word if forward and not (before == "failed" and word == "sent") else before
    found = await row(database, item)
    assert found.status == expected
    assert (found.error is None) == (expected in ORDER and expected != before)


async def test_what_was_reported_before_the_providers_id_was_known_is_folded_when_it_is(database: Database) -> None:
    item = await submitted(database)
    await database.write_bulk(begin_sending, began(item))
    await ack(database, "sent")
    await ack(database, "read", timestamp=NOW + timedelta(seconds=5))
    await ack(database, "delivered", timestamp=NOW + timedelta(seconds=2))
    await ack(database, "read", account="another")
    assert (await row(database, item)).status == "sending"
    await database.write_bulk(write_sent, took(item))
    found = await row(database, item)
    assert (found.status, found.read_at, found.delivered_at) == ("read", NOW + timedelta(seconds=5), None)


async def test_a_failure_reported_before_our_own_commit_wins(database: Database) -> None:
    item = await submitted(database)
    await database.write_bulk(begin_sending, began(item))
    await ack(database, "failed", reference=item.id)
    assert (await row(database, item)).status == "failed"
    assert await database.write_bulk(write_sent, took(item)) is None
    found = await row(database, item)
    assert (found.status, found.provider_id, found.told) == ("failed", "p1", False)


async def test_a_reference_finds_the_message_of_its_client_alone(database: Database) -> None:
    item = await submitted(database)
    await ack(database, "delivered", "p9", reference=item.id, client_id=2)
    assert (await row(database, item)).status == "queued"
    await ack(database, "delivered", "p9", reference=item.id)
    found = await row(database, item)
    assert (found.status, found.provider_id) == ("delivered", "p9")
    await ack(database, "read", "p9")
    assert (await row(database, item)).status == "read"


async def test_an_echo_that_carries_our_id_says_that_it_was_sent(database: Database) -> None:
    item = await submitted(database)
    await database.write_bulk(begin_sending, began(item))
    made = event(kind="message.any", message_id="p7", from_me=True)
    await database.write_bulk(store, Intake(event=made, reference=item.id))
    found = await row(database, item)
    assert (found.status, found.provider_id) == ("sent", "p7")


@pytest.mark.parametrize("status", ["queued", "failed", "unknown"])
async def test_an_end_is_written_only_while_it_is_being_sent(database: Database, status: str) -> None:
    item = await submitted(database)
    ended = Ended(id=item.id, status=status, error="why", code="7", now=NOW)
    assert await database.write(write_ended, ended) == (status == "failed")
    other = await submitted(database)
    await database.write_bulk(begin_sending, began(other))
    assert await database.write(write_ended, Ended(id=other.id, status=status, error="why", code="7", now=NOW))
    found = await row(database, other)
    assert (found.status, found.error, found.error_code) == (status, "why", "7")
    assert (found.failed_at is None) == (status != "failed")
    assert not found.outside_window
    await database.write_bulk(begin_sending, began(item))
    await database.write_bulk(write_sent, took(item))
    assert not await database.write(write_ended, ended)


async def test_messages_whose_delivery_is_over_are_found_and_those_in_flight_are_left(database: Database) -> None:
    waiting, cancelled, flying, gone = [await submitted(database) for _ in range(4)]
    await database.write_bulk(begin_sending, began(flying))
    for item in (cancelled, flying):
        text = "UPDATE deliveries SET settled = TRUE, status = 'cancelled', error = 'cancelled' WHERE id = ?"
        await database.write(run, text, (item.intake.routes[0].delivery_id,))
    await database.write(run, "DELETE FROM deliveries WHERE id = ?", (gone.intake.routes[0].delivery_id,))
    found = {each.id: each.error for each in await database.read(given_up, NOW, 10)}
    assert found == {cancelled.id: "given up: cancelled", gone.id: "given up: its delivery no longer exists"}
    later = {each.id: each.error for each in await database.read(given_up, NOW + timedelta(minutes=4), 10)}
    assert later == found | {flying.id: LOST}
    assert waiting.id not in later


async def test_each_failure_is_told_once(database: Database) -> None:
    item = await submitted(database)
    await database.write(write_ended, Ended(id=item.id, status="failed", error="why", code="", now=NOW))
    assert [each.id for each in await database.read(unreported, NOW, 10)] == [item.id]
    report = Report(id=item.id, failed=True, intake=Intake(event=event(kind="message.failed")))
    assert len(await database.write(store_reports, [report])) == 1
    assert await database.write(store_reports, [report]) == []
    assert await database.read(unreported, NOW, 10) == []
    await database.write(reopen, [item.intake.routes[0].delivery_id], NOW)
    found = await row(database, item)
    assert (found.status, found.told, found.failed_at) == ("queued", False, None)


async def test_a_chat_belongs_to_the_account_where_it_waits_else_where_it_last_was(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    assert await database.read(own_account, 1, CHAT) is None
    await database.write_bulk(store, Intake(event=event(account="b", message_id="1")))
    await database.write_bulk(store, Intake(event=event(account="a", message_id="2")))
    assert await database.read(own_account, 1, CHAT) == "a"
    item = await submitted(database, account="b")
    assert await database.read(own_account, 1, CHAT) == "b"
    await database.write_bulk(begin_sending, began(item))
    assert await database.read(own_account, 1, CHAT) == "b"  # its lane, whoever sends it
    await database.write(write_ended, Ended(id=item.id, status="failed", error="why", code="", now=NOW))
    assert await database.read(own_account, 1, CHAT) == "a"
    assert await database.read(own_account, 2, CHAT) is None


async def test_old_messages_go_those_that_failed_later_and_those_that_wait_never(database: Database) -> None:
    sent, failed, waiting = [await submitted(database) for _ in range(3)]
    await database.write_bulk(begin_sending, began(sent))
    await database.write_bulk(write_sent, took(sent))
    await database.write(write_ended, Ended(id=failed.id, status="failed", error="why", code="", now=NOW))
    ages = Ages(events=timedelta(days=30), failed=timedelta(days=90))
    for days, left in ((29, {sent.id, failed.id, waiting.id}), (31, {failed.id, waiting.id}), (91, {waiting.id})):
        await sweep(database, ages, now=NOW + timedelta(days=days))
        assert {id_ for (id_,) in await database.read(rows, "SELECT id FROM messages")} == left
