"""Acks in ignored chats: those that may be about messages of ours, and at what cost, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from uuid_utils import uuid7

from tests.rows import NOW, event, id_of, route
from wagate.events import NewEvent
from wagate.events.acks import ack_extra
from wagate.inbound.ignore import IgnoreFilter
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake
from wagate.storage.outbox.acks import Ack, fold_acks, may_be_ours
from wagate.storage.outbox.messages import Submission, submit
from wagate.storage.outbox.sending import Began, Ended, Took, begin_sending, write_ended, write_sent
from wagate.storage.owners.clients import ensure_default_client
from wagate.storage.owners.directory import Account

GROUP, OTHER_GROUP, PERSON = "120363041234567890@g.us", "120363049999999999@g.us", "5511999999999@c.us"


async def submitted(database: Database, chat: str = GROUP) -> str:
    message_id = str(uuid7())
    made = event(kind="message.send", message_id=message_id, chat=chat)
    intake = Intake(event=made, routes=(route("outbound:main", chat=chat),))
    item = Submission(id=message_id, intake=intake, message={"chat": chat, "type": "text"}, source="api")
    await database.write_bulk(submit, item)
    return message_id


async def sending(database: Database, chat: str = GROUP, account: str = "main") -> str:
    message_id = await submitted(database, chat)
    began = Began(id=message_id, status="queued", account=account, account_id=id_of(account), provider="meta", now=NOW)
    assert await database.write_bulk(begin_sending, began)
    return message_id


async def sent(database: Database, provider_id: str, account: str = "main") -> str:
    message_id = await sending(database, account=account)
    told = Intake(event=event(kind="message.any", message_id=provider_id, chat=GROUP))
    took = Took(
        id=message_id,
        account=account,
        account_id=id_of(account),
        provider="meta",
        provider_id=provider_id,
        intake=told,
        now=NOW,
    )
    await database.write_bulk(write_sent, took)
    return message_id


async def unknown(database: Database) -> str:
    message_id = await sending(database)
    ended = Ended(id=message_id, status="unknown", error="no answer", code="", now=NOW)
    await database.write(write_ended, ended)
    return message_id


def about(provider_id: str = "", **fields: Any) -> Ack:
    made: dict[str, Any] = {
        "client_id": 1,
        "account_id": id_of("main"),
        "chat": GROUP,
        "provider_id": provider_id,
        "reference": "",
    }
    return Ack(**(made | fields))


async def test_an_ack_is_ours_by_the_providers_id_of_its_account_or_by_our_own_id_of_its_client(
    database: Database,
) -> None:
    first, _ = await sent(database, "p1"), await sent(database, "p2", "other")
    queued = await submitted(database)
    expected = [
        (about("p1"), True),
        (about("p1", chat=OTHER_GROUP), True),
        (about("p1", account_id=id_of("other")), False),
        (about("p2", account_id=id_of("other")), True),
        (about("p2"), False),
        (about("from the phone"), False),
        (about(), False),
        (about("x", reference=first), True),
        (about("x", reference=queued), True),
        (about("x", reference=first, client_id=2), False),
        (about("x", reference="no id of ours\x00"), False),
    ]
    acks = [ack for ack, _ in expected]
    assert await database.read(may_be_ours, acks) == [own for _, own in expected]
    assert await database.read(may_be_ours, acks * 7) == [own for _, own in expected] * 7


@pytest.mark.parametrize("state", [sending, unknown])
async def test_an_ack_may_be_ours_while_the_fate_of_a_message_to_its_chat_is_open(
    state: Callable[[Database], Any], database: Database
) -> None:
    await state(database)
    acks = [
        about("p1"),
        about("p1", chat=OTHER_GROUP),
        about("p1", account_id=id_of("other")),
        about("p1", client_id=2),
    ]
    assert await database.read(may_be_ours, acks) == [True, False, False, False]


class Counting(Database):
    """Passes reads on and counts them."""

    def __init__(self, database: Database) -> None:
        self._other = database
        self.reads = 0

    async def read(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await self._other.read(fn, *args, **kwargs)


def account(**ignore: bool) -> Account:
    return Account(
        id=id_of("main"),
        name="main",
        client_id=1,
        tenant="default",
        provider="meta",
        phone="",
        metadata={},
        ignore=ignore,
        webhook_secret="",
        source="",
    )


def ack(provider_id: str, chat: str = GROUP, status: str = "delivered") -> NewEvent:
    return NewEvent(kind="message.ack", message_id=provider_id, chat=chat, extra=ack_extra(status))


def message(message_id: str, chat: str = GROUP, kind: str = "message") -> NewEvent:
    return NewEvent(kind=kind, message_id=message_id, chat=chat)


async def test_only_our_acks_come_through_in_their_order_by_one_read(database: Database) -> None:
    await database.write(ensure_default_client, now=NOW)
    await sent(database, "p1")
    counting = Counting(database)
    events = [
        ack("p1"),
        message("m1"),
        ack("from the phone"),
        message("m2", PERSON),
        message("p1", kind="message.any"),
        ack("p9", PERSON),
        ack("p1", status="failed"),
    ]
    found = await IgnoreFilter(counting).taken_in((account(groups=True), each) for each in events)
    assert [each for _, each in found] == [events[0], events[3], events[5], events[6]]
    assert counting.reads == 1


async def test_nothing_is_read_where_no_ack_is_in_an_ignored_chat(database: Database) -> None:
    counting = Counting(database)
    events = [ack("p1"), message("m1"), ack("p2", PERSON)]
    assert [each for _, each in await IgnoreFilter(counting).taken_in((account(), each) for each in events)] == events
    quiet = [message("m1"), ack("p2", PERSON), message("m3", PERSON)]
    found = await IgnoreFilter(counting).taken_in((account(groups=True), each) for each in quiet)
    assert [each for _, each in found] == quiet[1:]
    assert counting.reads == 0


async def test_acks_find_their_messages_by_an_index(database: Database) -> None:
    """Both what asks whether an ack is ours and what folds it in."""
    seen: list[tuple[str, Any]] = []

    def plans(db: Any) -> list[str]:
        execute = db.execute_sql

        def noting(text: str, params: Any = ()) -> Any:
            seen.append((text, params))
            return execute(text, params)

        db.execute_sql = noting
        try:
            may_be_ours(db, [about("p1", reference="r1")])
            fold_acks(db, [(event(kind="message.ack", message_id="p1", extra=ack_extra("read")), "")])
        finally:
            del db.execute_sql
        if db.param != "?":
            execute("SET LOCAL enable_seqscan = off")
        prefix = "EXPLAIN QUERY PLAN " if db.param == "?" else "EXPLAIN "
        asked = [(text, params) for text, params in seen if "messages" in text]
        return ["\n".join(str(line) for line in execute(prefix + text, params).fetchall()) for text, params in asked]

    found = await database.write(plans)
    assert len(found) == 4
    for plan, name in zip(found, ("", "messages_bare", "messages_status", "messages_bare"), strict=True):
        # Which index PostgreSQL takes for an empty table says nothing.
        assert name in plan or database.dialect == "postgres"
        assert "SCAN messages" not in plan
        assert "Seq Scan" not in plan
