"""Time in which wagate did not run is nobody's patience: what waited through it has its whole time afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.chatwoot_agents import CHAT, Office, arrive, fail, message, office, shown_as, updated
from tests.chatwoot_desk import a_desk
from wagate.clock import Clock
from wagate.errors import NotSentError, Postpone, SendRefusedError
from wagate.hooks import OutMessage
from wagate.testing import make_delivery, make_event
from wagate_chatwoot.inboxes import make_apps
from wagate_chatwoot.ledger import Entry
from wagate_chatwoot.memory import Memory
from wagate_chatwoot.to_chatwoot import echoes, notices, results
from wagate_chatwoot.to_whatsapp import deletes


def starts_again(desk: Office, *, after: float) -> None:
    """A new process, so many seconds later."""
    desk.fakes.clock.shift(after)
    desk.apps = make_apps(desk.fakes.context)
    desk.app = desk.apps["shop"]


def test_only_time_in_which_the_process_ran_is_waited() -> None:
    fakes = office().fakes
    memory = Memory(fakes.clock, started=fakes.clock.time())
    fakes.clock.shift(30)
    now = fakes.clock.now()
    assert memory.waited(now - timedelta(hours=9)) == pytest.approx(30)
    assert memory.waited(now - timedelta(seconds=4)) == pytest.approx(4)


@pytest.mark.parametrize("step", [365 * 86_400.0, -365 * 86_400.0])
def test_a_step_of_the_clock_is_no_time_in_which_the_process_ran(step: float) -> None:
    clock = Clock()
    memory, stored = Memory(clock, started=clock.time()), clock.now()
    clock.shift(30)
    clock.step(step)
    assert 30 <= memory.waited(stored) < 90


async def test_a_deletion_that_waited_through_a_night_without_wagate_is_not_given_up() -> None:
    desk = office()
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    desk.fakes.messages.becomes = "sent"
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await arrive(desk, updated(content_attributes={"deleted": True}))
    starts_again(desk, after=2 * deletes.LONGEST)
    desk.fakes.messages.becomes = NotSentError("starting", slow="account", after=7)
    with pytest.raises(Postpone):
        await desk.run()
    desk.fakes.clock.shift(deletes.LONGEST)
    await desk.run()
    assert [event.kind for event in desk.told()] == [notices.NOTE]


async def test_an_echo_that_was_stored_before_a_kill_waits_for_the_message_that_was_being_sent() -> None:
    async with a_desk() as desk:
        sent = await desk.fakes.messages.send(OutMessage(chat=CHAT, type="text", text="Hello"), client_id=1)
        desk.fakes.messages.becomes = "sending"
        await desk.fakes.messages.wait(sent.id, client_id=1, seconds=1)
        echo = make_event(kind="message.any", from_me=True, chat=CHAT, message_id=f"true_{CHAT}_A1")
        delivery = desk.arrives(echo)
        desk.fakes.clock.shift(3 * echoes.PATIENCE)
        desk.restart()
        with pytest.raises(Postpone):
            await desk.handle(delivery)
        desk.fakes.clock.shift(echoes.PATIENCE)
        await desk.handle(delivery)
        assert len(desk.server.posted()) == 1, "nobody answers for it any more"


async def test_an_echo_that_was_stored_before_a_kill_waits_for_the_row_of_what_was_handed_on() -> None:
    async with a_desk() as desk:
        sent = await desk.fakes.messages.send(OutMessage(chat=CHAT, type="text", text="Hello"), client_id=1)
        desk.fakes.messages.becomes = "sent"
        row = await desk.fakes.messages.wait(sent.id, client_id=1, seconds=1)
        event = make_event(kind="message.any", from_me=True, chat=CHAT, message_id=str(row.message_id))
        echo = desk.arrives(event)
        desk.fakes.clock.shift(3 * echoes.HANDING_ON)
        desk.restart()
        with pytest.raises(Postpone):
            await desk.handle(echo)
        entry = Entry(message=700, conversation=1, direction="out", account="main", chat=CHAT, parts=(sent.id,))
        await desk.app.ledger.write(entry)
        await desk.handle(make_delivery(event, target="in/support"))
        assert desk.server.posted() == []


async def refuse_all(desk: Office) -> None:
    """WhatsApp takes none of what was submitted."""
    desk.fakes.messages.becomes = SendRefusedError("not on WhatsApp")
    for part in list(desk.fakes.messages.rows):
        await desk.fakes.messages.wait(part, client_id=1, seconds=1)


async def test_a_press_of_retry_that_a_kill_cut_off_counts_before_its_failure_is_told() -> None:
    desk = office(http=shown_as("sent"), error_notes=False)
    await arrive(desk, message())
    await desk.run()
    await refuse_all(desk)
    await fail(desk)
    await arrive(desk, updated())
    starts_again(desk, after=2 * results.MOST_LOOKS)  # killed between the submission and its row
    with pytest.raises(Postpone):
        await fail(desk, retry=1)
    await desk.run()
    await refuse_all(desk)
    await fail(desk, retry=1)
    await arrive(desk, updated())
    await desk.run()
    assert [each["retry"] for each in desk.fakes.messages.metadata.values()] == [0, 1, 2]
