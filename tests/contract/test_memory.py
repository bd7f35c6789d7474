"""What this process just stored, at hand: what it says is what the row says, and it says nothing when it can't know."""

from __future__ import annotations

from datetime import timedelta, timezone
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.contract.test_lanes import ADD_CLIENT, outcome
from tests.rows import NOW, event, route
from wagate.consumers.memory import Memory
from wagate.events import Media
from wagate.rules.targets import TargetState
from wagate.storage.database import Database
from wagate.storage.deliveries.bulk import take_bulk
from wagate.storage.deliveries.lanes import Head, heads
from wagate.storage.deliveries.outcomes import record
from wagate.storage.events.intake import Intake, StoredDelivery, store
from wagate.storage.statement import run

CHAT = "5511999999999@c.us"
KEY = f"webhook:w1|main|{CHAT}"


class Site:
    """A database, and a memory of it."""

    def __init__(self, database: Database, *, on: bool = True) -> None:
        self.database = database
        self.now = 0.0
        self.memory = Memory(lambda: database.epoch, on=on, now=lambda: self.now)

    async def put(self, *, note: bool = True, **fields: Any) -> StoredDelivery:
        epoch = self.database.epoch
        made = Intake(event=event(**{"chat": CHAT, **fields}), routes=(route(chat=CHAT),), epoch=epoch)
        (stored,) = (await self.database.write_bulk(store, made)).deliveries
        if note:
            self.memory.note([stored])
        return stored

    async def read(self) -> Head:
        epoch, began = self.database.epoch, self.now
        self.now += 1
        found = await self.database.read(heads, [KEY])
        self.memory.learn(list(found.values()), epoch=epoch, began=began)
        return found[KEY]

    async def deliver(self) -> Head:
        head = self.memory.head(KEY) or await self.read()
        assert await self.database.write_bulk(record, outcome(head.id, {}, tried_before=False)) != [None]
        self.memory.delivered(head)
        return head

    async def know(self) -> None:
        """Two deliveries: the target is read with the first, its chat followed with the second."""
        await self.put()
        await self.deliver()
        await self.put()
        await self.deliver()


@pytest.fixture
async def site(database: Database) -> Site:
    await database.write(run, ADD_CLIENT)
    return Site(database)


async def test_it_says_what_the_row_says(site: Site) -> None:
    await site.know()
    fields: dict[str, Any] = {
        "content": "a\0b \ud800 \ud83d\ude00 ç",
        "contact_name": "\0",
        "reply_to": "true_1@c.us_\udfff",
        "extra": {"list": (1, 2), "at": NOW, "text": "\0", "nested": {"a": [None, 1.5]}},
        "metadata": {"a": "\ud800"},
        "media": Media(url="https://example.com/ä", mimetype="image/png", filename="\0.png"),
        "timestamp": NOW.astimezone(timezone(timedelta(hours=-3))),
        "tenant": "default",
    }
    await site.put(**fields)
    known = site.memory.head(KEY)
    assert known is not None
    assert known == (await site.database.read(heads, [KEY]))[KEY]
    await site.put()
    again = site.memory.head(KEY)
    assert again is not None
    assert (again.id, again.more) == (known.id, True)


async def test_it_follows_a_chat_only_without_a_gap(site: Site) -> None:
    await site.put()
    assert site.memory.head(KEY) is None, "nothing is known of the target"
    await site.deliver()
    second = await site.put()
    assert site.memory.head(KEY) is None, "nothing is known of the chat"
    await site.deliver()
    unseen = await site.put(note=False)
    last = await site.put()
    assert site.memory.head(KEY) is None, "another is before it"
    assert (await site.deliver()).id == unseen.delivery_id
    assert site.memory.head(KEY) is None
    assert (await site.deliver()).id == last.delivery_id
    third = await site.put()
    head = site.memory.head(KEY)
    assert head is not None
    assert head.id == third.delivery_id != second.delivery_id


async def test_every_other_write_makes_it_forget(site: Site) -> None:
    await site.know()
    await site.put()
    await site.database.write(partial(take_bulk, until=NOW, now=NOW), "me")
    assert site.memory.head(KEY) is not None, "that one changes nothing of deliveries"
    await site.database.write(run, "UPDATE deliveries SET status = 'cancelled', settled = TRUE WHERE settled = FALSE")
    assert site.memory.head(KEY) is None


async def test_what_was_handed_in_before_another_write_is_not_noted(site: Site) -> None:
    await site.know()
    stored = await site.put(note=False)
    await site.database.write(run, "UPDATE targets SET status = 'disabled'")
    site.memory.note([stored])
    await site.read()
    assert site.memory.head(KEY) is None


async def test_a_failure_makes_it_forget_the_target_until_it_is_read_after_that(site: Site) -> None:
    await site.know()
    await site.put()
    before = (await site.database.read(heads, [KEY]))[KEY]
    site.now += 1
    site.memory.forget("webhook:w1")
    assert site.memory.head(KEY) is None
    site.memory.learn([before], epoch=site.database.epoch, began=site.now - 1)
    await site.put()
    await site.deliver()
    await site.deliver()
    await site.put()
    assert site.memory.head(KEY) is None, "what was read before the failure counts for nothing"
    await site.deliver()
    await site.put()
    await site.deliver()
    await site.put()
    assert site.memory.head(KEY) is not None


async def test_a_closed_target_and_several_processes_are_not_remembered(site: Site) -> None:
    other = Site(site.database, on=False)
    await other.know()
    await other.put()
    assert other.memory.head(KEY) is None
    (head,) = (await site.database.read(heads, [KEY])).values()
    closed = Head(
        **{name: getattr(head, name) for name in Head.__struct_fields__}
        | {"target": TargetState(status="failed", down_since=NOW)}
    )
    assert closed.target.closed
    site.memory.learn([closed], epoch=site.database.epoch, began=0.0)
    await site.put()
    assert site.memory.head(KEY) is None


async def test_what_is_told_only_after_it_was_delivered_is_not_delivered_again(site: Site) -> None:
    await site.know()
    late = await site.put(note=False)
    assert (await site.deliver()).id == late.delivery_id, "from its row"
    site.memory.note([late])
    assert site.memory.head(KEY) is None
    last = await site.put()
    assert site.memory.head(KEY) is None, "the row says whose turn it is"
    assert (await site.deliver()).id == last.delivery_id
    site.memory.note([late])
    assert site.memory.head(KEY) is None
    following = await site.put()
    head = site.memory.head(KEY)
    assert head is not None
    assert (head.id, head.more) == (following.delivery_id, False)


async def test_two_requests_of_one_commit_may_tell_in_either_order(site: Site) -> None:
    await site.know()
    first, second = await site.put(note=False), await site.put(note=False)
    site.memory.note([second])
    assert site.memory.head(KEY) is None
    site.memory.note([first])
    assert [(await site.deliver()).id for _ in range(2)] == [first.delivery_id, second.delivery_id]
    third = await site.put()
    head = site.memory.head(KEY)
    assert head is not None
    assert head.id == third.delivery_id


@pytest.mark.parametrize("meanwhile", ["another write", "a full queue"])
async def test_a_read_from_before_a_failure_never_counts(site: Site, meanwhile: str) -> None:
    await site.know()
    if meanwhile == "another write":
        await site.database.write(run, "UPDATE targets SET streak = 0")
    await site.put(note=False)
    epoch, began = site.database.epoch, site.now
    before = await site.database.read(heads, [KEY])
    site.now += 1
    site.memory.forget("webhook:w1")
    if meanwhile == "a full queue":
        site.memory.clear()
    site.memory.learn(list(before.values()), epoch=epoch, began=began)
    await site.put()
    for _ in range(2):
        (head,) = (await site.database.read(heads, [KEY])).values()
        await site.database.write_bulk(record, outcome(head.id, {}, tried_before=False))
        site.memory.delivered(head)
    await site.put()
    assert site.memory.head(KEY) is None


async def test_what_is_pulled_is_not_kept(site: Site) -> None:
    await site.know()
    stored = await site.put(note=False)
    site.memory.note([msgspec.structs.replace(stored, mode="pull")])
    assert site.memory.head(KEY) is None
