"""A tick whose webhook found nobody: Chatwoot shows a message as failed that is not, whenever it was written."""

from __future__ import annotations

from msgspec.structs import replace

from tests.chatwoot_desk import CHAT, Desk, a_desk
from wagate.hooks import OutMessage
from wagate.testing import make_delivery, make_event
from wagate.testing.chatwoot import Message, faults
from wagate_chatwoot.ledger import TICKS, Entry, Handed
from wagate_chatwoot.memory import MOST_AGAIN
from wagate_chatwoot.to_chatwoot import echoes, notices
from wagate_chatwoot.to_whatsapp.reconcile import put_ticks_right


async def reddened(desk: Desk, status: str) -> Message:
    """An agent's message that got so far, and shows as failed."""
    await desk.takes(chat=CHAT)
    written = desk.server.agent.writes(desk.server.conversation(CHAT), "have you got it?")
    entry = Entry(
        message=written.id,
        conversation=written.conversation.id,
        direction="out",
        account="main",
        chat=CHAT,
        whatsapp=(f"true_{CHAT}_A1",),
        status=status,
    )
    await desk.app.ledger.write(entry)
    written.status = "failed"
    return written


async def tell(desk: Desk) -> int:
    """Do what waits; how much that was."""
    waiting, desk.fakes.deliveries.rows = desk.fakes.deliveries.rows, []
    for row in waiting:
        assert row.event.kind == notices.AGAIN
        await desk.handle(make_delivery(row.event, target=row.target))
    return len(waiting)


async def test_it_is_shown_again_after_a_start() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "read")
        desk.restart()
        await put_ticks_right(desk.app)
        assert written.status == "failed"  # in its turn, behind the acks of its chat
        assert await tell(desk) == 1
        assert written.status == "read"
        await put_ticks_right(desk.app)
        assert await tell(desk) == 0


async def test_a_tick_that_came_first_is_what_is_shown() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "delivered")
        await put_ticks_right(desk.app)
        entry = await desk.app.ledger.by_message(written.id)
        assert entry is not None
        await desk.app.ledger.write(replace(entry, status="read"))
        assert await tell(desk) == 1
        assert written.status == "read"


async def test_what_failed_stays_so() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "failed")
        await put_ticks_right(desk.app)
        assert await tell(desk) == 0
        assert written.status == "failed"


async def test_only_the_latest_are_looked_at() -> None:
    async with a_desk() as desk:
        entry = Entry(
            message=1, conversation=1, direction="out", account="main", chat=CHAT, whatsapp=("A",), status="read"
        )
        for number in range(1, 3 * TICKS):
            await desk.app.ledger.write(replace(entry, message=number))
        latest = sorted(each.message for each in await desk.app.ledger.ticked())
        assert latest == list(range(2 * TICKS, 3 * TICKS))


async def test_however_many_messages_are_between_two_ticks_both_are_seen() -> None:
    async with a_desk() as desk:
        first = await reddened(desk, "read")
        for number in range(150):
            desk.server.agent.notes(desk.server.conversation(CHAT), f"{number}")
        second = await reddened(desk, "delivered")
        await put_ticks_right(desk.app)
        assert await tell(desk) == 2
        assert (first.status, second.status) == ("read", "delivered")


async def test_a_part_that_did_fail_and_another_servers_message_are_left_alone() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "read")
        await put_ticks_right(desk.app)
        await desk.app.ledger.hand(written.id, Handed(parts=("",)))
        assert await tell(desk) == 1
        assert written.status == "failed"
        await put_ticks_right(desk.app)
        assert await tell(desk) == 0
        origin = {"inbox": "other", "message": written.id, "conversation": written.conversation.id}
        await desk.app.ledger.hand(written.id, Handed())
        event = make_event(kind=notices.AGAIN, chat=CHAT, extra={"source": "chatwoot", "metadata": origin})
        await desk.handle(make_delivery(event, target="in/support"))
        assert written.status == "failed"


async def test_a_deleted_conversation_is_passed_over() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "read")
        desk.server.fail(faults.gone())
        await put_ticks_right(desk.app)
        assert await tell(desk) == 0
        assert written.status == "failed"


async def test_where_our_webhook_can_not_be_reached_it_comes_to_an_end() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "delivered")
        times = []
        for _ in range(MOST_AGAIN + 3):
            await put_ticks_right(desk.app)
            times.append(await tell(desk))
            written.status = "failed"
        assert times == [1] * MOST_AGAIN + [0] * 3


async def test_an_echo_that_was_cut_off_before_its_tick_was_told_tells_it_the_next_time() -> None:
    async with a_desk() as desk:
        written = await reddened(desk, "")
        sent = await desk.fakes.messages.send(OutMessage(chat=CHAT, type="text", text="Hello"), client_id=1)
        desk.fakes.messages.rows[sent.id] = replace(sent, status="read")
        await desk.app.ledger.hand(written.id, Handed(parts=(sent.id,)))
        echo = desk.arrives(kind="message.any", from_me=True, chat=CHAT, message_id=f"true_{CHAT}_A1")
        assert await echoes.note(desk.app, echo)
        assert written.status == "read"
