"""What agents wrote while no webhook came: found, sent once, in order; and nothing else is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.chatwoot_office import ANA, KEY, Office, office
from tests.flow.test_one_person import PHONE, begun
from wagate.storage.database import FILE
from wagate.testing.chatwoot import Conversation, Message, faults
from wagate.testing.server import Fault
from wagate_chatwoot.to_whatsapp.reconcile import EVERY, OLDEST

STEP = EVERY / 4
"""Seconds that pass at once: several looks' pauses and retries fall between two looks."""


async def first_look(here: Office) -> None:
    """Wait until wagate has begun to look: what was written before it came is not its own to send."""
    await here.until(lambda: any(seen.path.endswith("/conversations") for seen in here.chatwoot.seen))


async def test_after_a_clock_that_was_ahead_nothing_is_left_out() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        await here.gateway.passes(2 * EVERY, step=STEP)
        here.chatwoot.habits.drop = lambda _body: True
        here.chatwoot.agent.writes(talk, "is anybody there?")
        here.chatwoot.habits.drop = lambda _body: False
        key = "UPDATE plugin_records SET value = json_set(value, '$.at', json_extract(value, '$.at') + 36000) "
        with closing(sqlite3.connect(here.gateway.folder / "data" / FILE)) as db, db:
            assert db.execute(key + "WHERE key = 'desk/reconciled'").rowcount == 1
        await here.gateway.passes_until(lambda: here.sent() == ["is anybody there?"], step=STEP, most=2 * EVERY)


async def test_messages_that_no_webhook_brought_are_sent_once_and_in_order() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        here.chatwoot.habits.drop = lambda _body: True
        for number in range(30):
            here.chatwoot.agent.writes(talk, f"{number}")
        here.chatwoot.agent.notes(talk, "only for us")
        deleted = here.chatwoot.agent.writes(talk, "a slip")
        here.chatwoot.agent.deletes(deleted)
        here.chatwoot.habits.drop = lambda _body: False
        await here.gateway.passes_until(lambda: len(here.sent()) >= 30, step=STEP, most=2 * EVERY)
        assert here.sent() == [f"{number}" for number in range(30)]
        await here.gateway.passes(2 * EVERY, step=STEP)
        assert len(here.sent()) == 30


async def test_what_chatwoot_gave_up_while_wagate_was_away_shows_as_sent_when_it_was() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        door, here.chatwoot.inbox.webhook_url = here.chatwoot.inbox.webhook_url, "http://127.0.0.1:9/gone"
        written = here.chatwoot.agent.writes(talk, "is anybody there?")
        await here.chatwoot.webhooks.settled()
        assert written.status == "failed"
        here.chatwoot.inbox.webhook_url = door
        await here.gateway.passes_until(lambda: written.status == "sent", step=STEP, most=2 * EVERY)
        assert here.status_of(written) == ("sent", None)
        here.chatwoot.agent.retries(written)
        await here.gateway.passes(EVERY, step=STEP)
        assert here.sent() == ["is anybody there?"]


async def red_though_read(here: Office, talk: Conversation, *, later: float = 0.0) -> Message:
    """An agent's message that was read ``later`` seconds after it was sent; Chatwoot's webhook of that found nobody."""
    written = here.chatwoot.agent.writes(talk, "have you got it?")
    await here.until_sent(1)
    await here.until(lambda: bool(here.waha.sent))
    await here.gateway.passes(later, step=STEP)
    door, here.chatwoot.inbox.webhook_url = here.chatwoot.inbox.webhook_url, "http://127.0.0.1:9/gone"
    await here.ack(here.waha.sent[0]["_id"], 3)
    await here.until(lambda: written.status == "failed")
    here.chatwoot.inbox.webhook_url = door
    return written


async def test_a_tick_whose_own_webhook_found_nobody_is_shown_again() -> None:
    async with office() as here:
        await first_look(here)
        written = await red_though_read(here, await here.talk())
        await here.gateway.passes_until(lambda: written.status == "read", step=STEP, most=2 * EVERY)
        assert here.status_of(written) == ("read", None)
        assert here.sent() == ["have you got it?"]


async def test_a_tick_that_comes_while_a_message_is_put_right_stays() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        answered_late = Fault(method="PATCH", path="/messages/", wait=3)  # done, and we don't know it yet
        here.chatwoot.fail(answered_late)
        written = await red_though_read(here, talk)
        await here.gateway.passes(EVERY, step=30)
        assert answered_late not in here.chatwoot.faults
        await here.gateway.passes_until(lambda: written.status == "read", step=1, most=EVERY)
        await here.gateway.passes(2 * EVERY, step=30)
        assert here.status_of(written) == ("read", None)


async def test_an_old_message_whose_tick_found_nobody_is_shown_again() -> None:
    async with office() as here:
        await first_look(here)
        written = await red_though_read(here, await here.talk(), later=3 * EVERY)  # what the looks ask for is newer
        await here.gateway.passes_until(lambda: written.status == "read", step=STEP, most=2 * EVERY)
        assert here.status_of(written) == ("read", None)


async def test_what_came_from_the_phone_and_shows_as_failed_is_shown_as_sent_again() -> None:
    async with office() as here:
        await first_look(here)
        await here.talk()
        own = here.waha.incoming("from the phone", sender=ANA) | {"fromMe": True, "id": f"true_{ANA}_PHONE1"}
        door, here.chatwoot.inbox.webhook_url = here.chatwoot.inbox.webhook_url, "http://127.0.0.1:9/gone"
        await here.waha_says(here.waha.webhook("message.any", own, key=KEY))
        await here.chatwoot.until_posted(2)
        message = here.chatwoot.posted()[-1]
        await here.until(lambda: message.status == "failed")
        here.chatwoot.inbox.webhook_url = door
        await here.gateway.passes_until(lambda: message.status == "sent", step=STEP, most=2 * EVERY)
        assert here.status_of(message) == ("sent", None)
        assert here.waha.sent == []


async def test_a_message_whose_webhook_came_is_not_sent_again() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        here.chatwoot.agent.writes(talk, "once")
        await here.until_sent(1)
        await here.gateway.passes(2 * EVERY, step=STEP)
        assert here.sent() == ["once"]


async def test_what_was_written_before_wagate_came_or_longer_ago_than_a_day_stays_unsent() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        here.chatwoot.habits.drop = lambda _body: True
        old = here.chatwoot.agent.writes(talk, "from another life")
        old.created_at -= OLDEST + 60
        here.chatwoot.agent.writes(talk, "from today")
        await here.gateway.passes_until(lambda: bool(here.sent()), step=STEP, most=2 * EVERY)
        assert here.sent() == ["from today"]


async def test_a_chatwoot_that_does_not_answer_is_looked_through_the_next_time() -> None:
    async with office() as here:
        await first_look(here)
        talk = await here.talk()
        here.chatwoot.habits.drop = lambda _body: True
        here.chatwoot.agent.writes(talk, "late")
        here.chatwoot.fail(faults.throttled(30, path="/conversations"))
        await here.gateway.passes_until(lambda: bool(here.sent()), step=STEP, most=4 * EVERY)
        assert here.sent() == ["late"]


async def test_whom_a_found_conversation_is_with_is_asked_of_its_contact() -> None:
    """Lists show a conversation without its source_id, which alone says who that is when another connector began it."""
    async with office() as here:
        await first_look(here)
        conversation = begun(here, "+5511987654321")
        conversation.contact.phone_number, conversation.contact_inbox.source_id = None, "5511987654321@s.whatsapp.net"
        here.chatwoot.habits.drop = lambda _body: True
        here.chatwoot.agent.writes(conversation, "About your order")
        await here.gateway.passes_until(lambda: bool(here.waha.sent), step=STEP, most=2 * EVERY)
        assert [each["chatId"] for each in here.waha.sent] == [PHONE]
