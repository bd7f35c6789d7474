"""Chatwoot → WhatsApp through a whole gateway: order, once, echoes, notes, deletes, Retry."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

from tests.chatwoot_office import ANA, Office, office
from wagate.testing.chatwoot import Message, Webhook, faults
from wagate.testing.server import Fault, Reply, Seen
from wagate_chatwoot.to_whatsapp import doubts

TEN = [f"{number}" for number in range(10)]
REORDER = 60
"""Seconds; more than a slow machine needs for ten webhooks."""


async def at_peace(here: Office) -> None:
    """All webhooks are answered, and what they started is done, however late."""
    await here.chatwoot.webhooks.settled()
    await here.gateway.passes(60, step=30)
    await here.chatwoot.webhooks.settled()


async def test_ten_messages_of_an_agent_wait_together_for_one_written_before_them_and_arrive_in_order() -> None:
    async with office(reorder=f"{REORDER}s") as here:
        talk = await here.talk()
        for text in TEN:
            here.chatwoot.agent.writes(talk, text)
        await here.chatwoot.webhooks.settled()
        assert here.waha.sent == []
        here.gateway.clock.shift(REORDER)
        # One after the other they would wait for many minutes.
        await here.until_sent(10)
        assert here.sent() == TEN


async def test_webhooks_in_any_order_and_twice_still_make_each_message_once_and_in_order() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.habits.twice = True
        here.chatwoot.webhooks.hold()
        for text in TEN:
            here.chatwoot.agent.writes(talk, text)

        def shuffled(held: list[Webhook]) -> list[Webhook]:
            return random.Random(3).sample(held, len(held))

        here.chatwoot.webhooks.release(shuffled)
        await here.until_sent(10)
        await at_peace(here)
        assert here.sent() == TEN
        assert {message.status for message in here.chatwoot.state.messages} == {"sent"}


async def test_a_message_whose_webhook_was_lost_before_the_first_one_came_goes_before_it() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.habits.drop = lambda body: body.get("content") in {"0", "1"}
        for text in TEN[:4]:
            here.chatwoot.agent.writes(talk, text)
        await here.until_sent(4)
        await at_peace(here)
        assert here.sent() == TEN[:4]
        await here.gateway.passes(60, step=5)  # Another look, at all conversations, is over by then.
        looks = [seen for seen in here.chatwoot.seen if seen.method == "GET" and "before" in seen.query]
        here.chatwoot.agent.writes(talk, "4")
        await here.until_sent(5)
        again = [seen for seen in here.chatwoot.seen if seen.method == "GET" and "before" in seen.query]
        assert len(again) == len(looks), "once in each conversation"


async def test_a_chatwoot_that_cannot_be_asked_what_was_lost_holds_nothing_up() -> None:
    async with office(reorder=f"{REORDER}s") as here:
        talk = await here.talk()
        here.chatwoot.chance = lambda seen: faults.bad_gateway(path="") if seen.method == "GET" else None
        for text in TEN:
            here.chatwoot.agent.writes(talk, text)
        # All of them are here before the time is over in which they are put in order.
        await here.chatwoot.webhooks.settled()
        here.gateway.clock.shift(REORDER)
        await here.until_sent(10)
        assert here.sent() == TEN


async def test_webhooks_are_answered_while_the_provider_still_thinks_about_the_first_message() -> None:
    async with office() as here:
        talk = await here.talk()
        thought, answer = trio.Event(), here.waha._answer

        async def thinks(seen: Seen) -> Reply:
            if seen.path == "/api/sendText":
                await thought.wait()
            return await answer(seen)

        here.waha._answer = thinks
        here.chatwoot.agent.writes(talk, TEN[0])
        await here.until(lambda: any(seen.path == "/api/sendText" for seen in here.waha.seen))
        for text in TEN[1:5]:
            here.chatwoot.agent.writes(talk, text)
            await here.chatwoot.webhooks.settled()
        assert here.waha.sent == []
        assert {each.status for each in here.chatwoot.webhooks.sent} == {200}
        thought.set()
        await here.until_sent(5)
        assert here.sent() == TEN[:5]


async def test_our_own_posts_and_patches_come_back_and_nothing_is_sent() -> None:
    async with office() as here:
        here.chatwoot.habits.before_answer = True
        here.chatwoot.habits.twice = True
        talk = await here.talk()
        written = here.chatwoot.agent.writes(talk, "hello")
        await here.until_sent(1)
        for number in (2, 3):
            await here.ack(here.waha.sent[0]["_id"], number)
        await here.until(lambda: written.status == "read")
        await at_peace(here)
        assert here.sent() == ["hello"]
        echoes = [each for each in here.chatwoot.webhooks.sent if each.event.startswith("message_")]
        assert len(echoes) >= 6
        assert {each.status for each in here.chatwoot.webhooks.sent} == {200}


async def test_the_last_message_of_the_conversation_does_not_mislead() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.habits.other_message = True
        for text in TEN[:3]:
            here.chatwoot.agent.writes(talk, text)
        await here.until_sent(3)
        await here.comes("and mine")
        await here.chatwoot.until_posted(2)
        await at_peace(here)
        assert here.sent() == TEN[:3]


async def test_private_notes_and_activity_never_leave() -> None:
    async with office() as here:
        talk = await here.talk()
        agent = here.chatwoot.agent
        note = agent.notes(talk, "he never pays")
        agent.takes(talk)
        agent.types(talk)
        agent.types(talk, on=False, private=True)
        agent.deletes(note)
        agent.resolves(talk)
        agent.reopens(talk)
        agent.writes(talk, "good day")
        await here.until_sent(1)
        await at_peace(here)
        assert here.sent() == ["good day"]
        assert {each.status for each in here.chatwoot.webhooks.sent} == {200}


async def test_a_survey_goes_out_as_text_and_a_reply_names_what_it_answers() -> None:
    async with office() as here:
        talk = await here.talk()
        asked = here.chatwoot.posted()[-1]
        here.chatwoot.agent.replies(asked, "yes, **today**")
        await here.until_sent(1)
        here.chatwoot.agent.resolves(talk, csat=True)
        await here.until_sent(2)
        answer, survey = here.waha.sent
        assert (answer["text"], answer["reply_to"]) == ("yes, *today*", asked.source_id)
        assert "survey" in survey["text"]


async def test_what_is_deleted_before_it_is_sent_is_never_sent() -> None:
    async with office() as here:
        talk = await here.talk()
        here.waha.statuses["default"] = "STARTING"
        first = here.chatwoot.agent.writes(talk, "first")
        await here.chatwoot.webhooks.settled()
        second = here.chatwoot.agent.writes(talk, "oh no")
        here.chatwoot.agent.deletes(second)
        await here.chatwoot.webhooks.settled()
        with trio.fail_after(60):  # A busy machine is not done with that yet.
            while any(row["status"] != "delivered" for row in await jobs_of(here)):
                await trio.sleep(0.05)
        here.waha.statuses["default"] = "WORKING"
        await here.gateway.passes_until(lambda: bool(here.waha.sent), step=5, most=600)
        await at_peace(here)
        assert here.sent() == ["first"]
        assert first.status == "sent"


async def jobs_of(here: Office) -> list[dict[str, Any]]:
    """What Chatwoot told us of."""
    found = (await here.gateway.ask("GET", "/api/jobs?connector=chatwoot"))["data"]
    return [row for row in found if row["target"].startswith("out/")]


def refused() -> Fault:
    said = {"message": "The number is not on WhatsApp", "statusCode": 400}
    return Fault(reply=Reply(status=400, json=said), path="/api/sendText")


async def failed(here: Office, text: str, message: Message | None = None) -> Message:
    """An agent's message that the provider refuses."""
    talk = here.chatwoot.conversation(ANA)
    here.waha.fail(refused())
    written = message or here.chatwoot.agent.writes(talk, text)
    await here.until(lambda: written.status == "failed")
    return written


async def test_a_refused_message_is_failed_with_its_reason_and_retry_sends_it_once() -> None:
    async with office() as here:
        await here.talk()
        written = await failed(here, "please")
        status, why = here.status_of(written)
        assert status == "failed"
        assert why
        assert "WhatsApp" in why
        await here.until(lambda: any(message.private for message in here.chatwoot.posted()))
        await at_peace(here)
        here.chatwoot.agent.retries(written)
        await here.until_sent(1)
        await at_peace(here)
        assert here.sent() == ["please"]
        assert here.status_of(written)[0] == "sent"


async def test_a_retry_that_fails_again_is_failed_again_and_may_be_pressed_again() -> None:
    async with office() as here:
        await here.talk()
        written = await failed(here, "please")
        await at_peace(here)
        here.waha.fail(refused())
        here.chatwoot.agent.retries(written)
        await here.until(lambda: written.status == "failed")
        await at_peace(here)
        assert here.waha.sent == []
        here.chatwoot.agent.retries(written)
        await here.until_sent(1)
        await at_peace(here)
        assert here.sent() == ["please"]


@pytest.mark.parametrize("late", [False, True], ids=["as it was", "both show the later state"])
async def test_retrys_two_updates_send_once_in_any_order_and_twice(late: bool) -> None:
    async with office() as here:
        await here.talk()
        written = await failed(here, "please")
        await at_peace(here)
        here.chatwoot.habits.twice, here.chatwoot.habits.late = True, late
        here.chatwoot.webhooks.hold()
        here.chatwoot.agent.retries(written)
        here.chatwoot.webhooks.release(lambda held: held[::-1])
        await here.until_sent(1)
        await at_peace(here)
        assert here.sent() == ["please"]


async def test_while_the_provider_is_down_messages_show_that_they_wait_and_leave_once_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A look that takes long makes the next one come later: on a machine that stands still, minutes later.
    monkeypatch.setattr(doubts, "SHARE", 0)
    async with office() as here:
        talk = await here.talk()
        here.waha.statuses["default"] = "FAILED"
        written = [here.chatwoot.agent.writes(talk, text) for text in TEN]
        await here.chatwoot.webhooks.settled()
        await here.gateway.passes_until(lambda: {each.status for each in written} == {"failed"}, step=5, most=60)
        assert "will send it as soon as it can" in str(here.status_of(written[0])[1])
        here.chatwoot.agent.retries(written[0])
        here.chatwoot.agent.retries(written[9])
        await here.gateway.passes(1800, step=120)
        assert here.waha.sent == []
        here.waha.statuses["default"] = "WORKING"
        await here.gateway.passes_until(lambda: len(here.waha.sent) == 10, step=60, most=3600)
        await at_peace(here)
        assert here.sent() == TEN
        assert {here.status_of(message) for message in written} == {("sent", None)}
        assert [each for each in here.chatwoot.posted() if each.private] == []
