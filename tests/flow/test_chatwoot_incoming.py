"""WhatsApp → Chatwoot through a whole gateway: bursts in order and once, ticks, answers that are lost."""

from __future__ import annotations

import itertools
import random

import pytest
import trio

from tests.chatwoot_office import ANA, KEY, Office, office, phone
from wagate.testing.chatwoot import faults
from wagate.testing.server import Fault, Seen


async def burst(here: Office, chats: int, each: int) -> None:
    """So many messages of so many chats at once, in each chat one after the other, until they are there."""
    async with trio.open_nursery() as nursery:
        for number in range(chats):
            nursery.start_soon(write, here, phone(number), each)
    await here.chatwoot.until_posted(chats * each, 200)


async def write(here: Office, chat: str, count: int) -> None:
    for number in range(count):
        await here.comes(f"{number}", chat)


def assert_each_once_in_order(here: Office) -> None:
    for chat, ids in here.written.items():
        assert here.sources(chat) == ids, chat
    assert len(here.chatwoot.posted()) == sum(map(len, here.written.values()))


@pytest.mark.parametrize(("chats", "each"), [(30, 10), (1, 60)], ids=["300 over 30 chats", "60 in one chat"])
async def test_a_burst_arrives_in_order_and_once(chats: int, each: int) -> None:
    async with office() as here:
        here.chatwoot.latency = 0.005
        here.chatwoot.webhooks.habits.timeout = 60.0  # What counts is how it is answered, not how busy the machine is.
        await burst(here, chats, each)
        await here.chatwoot.webhooks.settled()
        assert_each_once_in_order(here)
        assert len(here.chatwoot.state.contacts) == len(here.chatwoot.state.conversations) == chats
        # Every webhook about our own posts was answered well, or the message would be marked.
        assert {message.status for message in here.chatwoot.posted()} == {"sent"}
        assert here.waha.sent == []


async def test_a_burst_through_a_chatwoot_that_fails_in_every_way_is_in_order_and_once() -> None:
    dice = random.Random(11)
    ways = (faults.done_then_500, faults.refused_500, faults.done_then_reset, faults.reset, faults.bad_gateway)
    async with office() as here:
        seen: set[bytes] = set()
        failed: list[Fault] = []

        def chance(request: Seen) -> Fault | None:
            body = request.body
            if not request.path.endswith("/messages") or not body or body in seen:
                return None
            seen.add(body)
            if dice.random() >= 0.15:
                return None
            failed.append(dice.choice(ways)())
            return failed[-1]

        here.chatwoot.chance = chance
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(write, here, phone(number), 8)
        await here.gateway.passes_until(lambda: len(here.chatwoot.posted()) >= 80, step=5, most=3600)
        await here.gateway.passes(60, step=30)
        assert_each_once_in_order(here)
        assert len(failed) > 5


async def test_the_ticks_of_every_message_rise_and_never_fall() -> None:
    async with office() as here:
        talk = await here.talk()
        agent = here.chatwoot.agent
        written = [agent.writes(talk, f"{number}") for number in range(12)]
        await here.until_sent(12)
        dice = random.Random(5)
        acks = [(sent["_id"], number) for sent in here.waha.sent for number in (2, 3, 2, 1)]
        dice.shuffle(acks)
        for message_id, number in acks:
            await here.ack(message_id, number)
        await here.until(lambda: all(message.status == "read" for message in written))
        await here.chatwoot.webhooks.settled()
        assert len(here.waha.sent) == 12, "our own PATCH's echo is no Retry"
        assert rising(here)


def rising(here: Office) -> bool:
    """No PATCH took a message back."""
    rank = ["sent", "delivered", "read"]
    told: dict[str, list[int]] = {}
    for seen in here.chatwoot.seen:
        if seen.method == "PATCH":
            told.setdefault(seen.path, []).append(rank.index(seen.json["status"]))
    return all(a < b for steps in told.values() for a, b in itertools.pairwise(steps))


async def test_messages_from_the_phone_appear_once_as_outgoing_and_are_not_sent_out() -> None:
    async with office() as here:
        await here.talk()
        own = here.waha.incoming("from the phone", sender=ANA) | {"fromMe": True, "id": f"true_{ANA}_PHONE1"}
        for _ in range(2):
            await here.waha_says(here.waha.webhook("message.any", own, key=KEY))
        await here.chatwoot.until_posted(2)
        await here.chatwoot.webhooks.settled()
        message = here.chatwoot.posted()[-1]
        assert (message.message_type, message.content, message.source_id) == (
            "outgoing",
            "from the phone",
            f"true_{ANA}_PHONE1",
        )
        await here.ack(f"true_{ANA}_PHONE1", 3)
        await here.until(lambda: message.status == "read")
        await here.chatwoot.webhooks.settled()
        assert here.waha.sent == []


async def test_an_answer_that_comes_too_late_or_never_costs_no_second_post() -> None:
    async with office() as here:
        await here.talk()
        here.chatwoot.fail(faults.done_then_reset(), faults.done_then_500())
        await here.comes("lost twice?")
        await here.comes("after it")
        await here.gateway.passes_until(lambda: len(here.chatwoot.posted()) >= 3, step=5, most=3600)
        await here.gateway.passes(60, step=30)
        assert_each_once_in_order(here)


async def test_a_resolved_conversation_is_opened_by_what_comes_and_goes_on() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.agent.resolves(talk)
        await here.chatwoot.webhooks.settled()
        await here.comes("me again")
        await here.chatwoot.until_posted(2)
        assert talk.status == "open"
        assert [message.conversation.id for message in here.chatwoot.posted()] == [talk.id, talk.id]


async def test_a_deleted_conversation_is_made_anew() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.agent.deletes_conversation(talk)
        await here.comes("still there?")
        await here.until(lambda: len(here.posts()) == 1)
        assert here.posts()[0].conversation is not talk
        contact = here.chatwoot.state.contacts[0]
        here.chatwoot.agent.deletes_contact(contact)
        await here.comes("and now?")
        await here.until(lambda: len(here.posts()) == 1)
        assert here.posts()[0].content == "and now?"
