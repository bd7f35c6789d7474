"""Retry of long texts and of replies, and what only looks like Retry."""

from __future__ import annotations

import msgspec

from tests.chatwoot_agents import (
    CHAT,
    CONVERSATION,
    PDF,
    PNG,
    arrive,
    fail,
    message,
    office,
    sent,
    shown_as,
    updated,
)
from wagate.errors import SendRefusedError
from wagate_chatwoot.ledger import Entry


async def test_of_a_text_in_several_messages_retry_sends_only_what_was_not_sent() -> None:
    desk = office(http=shown_as("sent"), error_notes=False)
    desk.fakes.messages.longest_text = 30
    text = "one " * 5 + "end\n\n" + "two " * 5 + "end\n\n" + "three " * 3 + "end"
    await arrive(desk, message(content=text, attachments=[PNG, PDF]))
    await desk.run()
    first, second, third, picture, paper = desk.fakes.messages.rows
    for part in (first, picture, paper):
        await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    desk.fakes.messages.becomes = SendRefusedError("not on WhatsApp")
    for part in (second, third):
        await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await fail(desk)
    await arrive(desk, updated(content=text, attachments=[PNG, PDF]))
    await desk.run()
    again = list(desk.fakes.messages.rows)[5:]
    handed = await desk.app.ledger.handed(700)
    assert handed is not None
    assert handed.parts == (first, *again, picture, paper)
    assert [text for _, text in sent(desk)[5:]] == [text for _, text in sent(desk)[1:3]]
    parts = [each.part for each in desk.fakes.messages.submitted[5:] if each.part is not None]
    assert [(each.number, each.of, each.after) for each in parts] == [(2, 3, first), (3, 3, again[0])]
    assert [handed.number(index) for index in range(5)] == [0, 0, 0, 1, 2]


async def test_one_update_that_keeps_the_quote_sends_a_reply_again_with_it() -> None:
    desk = office(http=shown_as("sent"), error_notes=False)
    quoted = Entry(
        message=690, conversation=CONVERSATION, direction="in", account="main", chat=CHAT, whatsapp=("wamid.Q",)
    )
    await desk.app.ledger.write(quoted)
    reply = {"in_reply_to": 690, "in_reply_to_external_id": "wamid.Q"}
    await arrive(desk, message(content_attributes=reply))
    await desk.run()
    [part] = desk.fakes.messages.rows
    desk.fakes.messages.becomes = SendRefusedError("not on WhatsApp")
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    desk.fakes.messages.becomes = "sent"
    await fail(desk)
    await arrive(desk, updated(content_attributes=reply))
    await desk.run()
    assert [each.reply_to for each in desk.fakes.messages.submitted] == ["wamid.Q", "wamid.Q"]


async def test_a_reply_whose_webhook_never_came_is_sent_by_such_an_update() -> None:
    desk = office(http=shown_as("sent"))
    await arrive(desk, updated(content_attributes={"in_reply_to": 690}))
    await desk.run()
    assert sent(desk) == [("text", "Hello")]


async def test_ticks_that_come_back_without_a_mark_of_ours_cost_no_delivery() -> None:
    desk = office()
    await arrive(desk, message())
    await desk.run()
    entry = await desk.app.ledger.by_message(700)
    assert entry is not None
    await desk.app.ledger.write(msgspec.structs.replace(entry, status="delivered"))
    before = len(desk.fakes.deliveries.rows)
    await arrive(desk, updated(content_attributes={}))
    assert len(desk.fakes.deliveries.rows) == before
