"""Agents' messages on their way to WhatsApp: in order, each part once, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.chatwoot_agents import (
    CHAT,
    CONVERSATION,
    OGG,
    PDF,
    PNG,
    arrive,
    conversation,
    message,
    office,
    sent,
    updated,
)
from wagate.errors import Retry
from wagate.hooks import Duration
from wagate.http import AddressNotAllowedError, BadUrlError, HttpError, TimedOutError
from wagate.testing import FakeHttp, answered
from wagate_chatwoot.ledger import Entry, Handed, Place
from wagate_chatwoot.to_chatwoot import notices


async def test_a_text_goes_out_in_whatsapps_own_markup() -> None:
    desk = office()
    await arrive(desk, message(content="**Hi** there"))
    await desk.run()
    [out] = desk.fakes.messages.submitted
    assert (out.chat, out.type, out.text, out.reply_to) == (CHAT, "text", "*Hi* there", "")
    assert await desk.app.ledger.waiting(CONVERSATION) == []


async def test_the_ledger_ties_what_was_sent_to_the_message_in_chatwoot() -> None:
    desk = office()
    await arrive(desk, message())
    await desk.run()
    [part] = desk.fakes.messages.rows
    assert desk.fakes.messages.metadata[part] == {
        "inbox": "shop",
        "message": 700,
        "conversation": CONVERSATION,
        "site": desk.app.site,
        "part": 0,
        "retry": 0,
        "failed": False,
    }
    entry = await desk.app.ledger.by_part(part)
    where = {"conversation": CONVERSATION, "site": desk.app.site}
    assert entry == Entry(message=700, **where, direction="out", account="main", chat=CHAT)


@pytest.mark.parametrize("order", [(3, 1, 2), (2, 3, 1), (3, 2, 1), (1, 2, 3), (1, 1, 3, 2, 3, 2)])
async def test_messages_leave_in_the_order_of_their_writing_though_webhooks_come_in_any(order: tuple[int, ...]) -> None:
    desk = office()
    await arrive(desk, *(message(700 + number, f"text {number}") for number in order))
    await desk.run()
    assert sent(desk) == [("text", "text 1"), ("text", "text 2"), ("text", "text 3")]
    assert await desk.app.ledger.waiting(CONVERSATION) == []


async def test_a_message_waits_for_one_written_before_it_but_not_for_one_written_after(autojump_clock: Any) -> None:
    _ = autojump_clock
    desk = office(reorder=Duration("0.25s"))
    await arrive(desk, message(702, "second"), message(701, "first"))
    await desk.run(at_most=1)
    assert sent(desk) == [("text", "first"), ("text", "second")]

    desk = office(reorder=Duration("0.25s"))
    await arrive(desk, message(701, "first"), message(702, "second"))
    await desk.run(at_most=1)
    assert sent(desk) == [("text", "first")]


async def test_a_lone_file_carries_the_text_as_its_caption() -> None:
    desk = office()
    await arrive(desk, message(content="look", attachments=[PNG]))
    await desk.run()
    assert sent(desk) == [("image", "look")]


async def test_several_files_each_go_once_after_the_text() -> None:
    desk = office()
    await arrive(desk, message(content="look", attachments=[PNG, OGG, PDF]))
    await desk.run()
    assert sent(desk) == [("text", "look"), ("image", ""), ("voice", ""), ("document", "")]
    handed = await desk.app.ledger.handed(700)
    assert handed is not None
    assert list(handed.parts) == list(desk.fakes.messages.rows)


async def test_a_reply_quotes_what_it_answers() -> None:
    desk = office()
    quoted = Entry(
        message=690, conversation=CONVERSATION, direction="in", account="main", chat=CHAT, whatsapp=("wamid.Q",)
    )
    await desk.app.ledger.write(quoted)
    await arrive(
        desk,
        message(701, content_attributes={"in_reply_to": 690}, attachments=[PNG, PDF]),
        message(702, content_attributes={"in_reply_to": 12, "in_reply_to_external_id": "wamid.Q"}),
        message(703, content_attributes={"in_reply_to": 12, "in_reply_to_external_id": "wamid.unknown"}),
    )
    await desk.run()
    assert [each.reply_to for each in desk.fakes.messages.submitted] == ["wamid.Q", "", "", "wamid.Q", ""]


async def test_a_reply_to_an_agents_own_message_quotes_that() -> None:
    desk = office()
    await arrive(desk, message(701))
    await desk.run()
    [part] = desk.fakes.messages.rows
    await desk.fakes.messages.wait(part, client_id=1, seconds=1)
    await arrive(desk, message(702, content_attributes={"in_reply_to": 701}))
    await desk.run()
    assert desk.fakes.messages.submitted[-1].reply_to == f"fake.{part}"


async def test_a_template_goes_as_a_template() -> None:
    desk = office()
    params = {"name": "hello", "language": "pt_BR", "processed_params": {"body": {"1": "Ana"}}}
    await arrive(desk, message(additional_attributes={"template_params": params}))
    await desk.run()
    [out] = desk.fakes.messages.submitted
    assert out.type == "template"
    assert out.template == {
        "name": "hello",
        "language": {"code": "pt_BR"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}],
    }


async def test_a_survey_goes_as_its_text() -> None:
    desk = office()
    text = "Please rate us: https://chat.example/survey/responses/1"
    await arrive(desk, message(content=text, content_type="input_csat", message_type="template", sender=None))
    await desk.run()
    assert sent(desk) == [("text", text)]


async def test_the_agents_name_stands_in_front_when_the_inbox_wants_it() -> None:
    desk = office(signature=True)
    await arrive(desk, message(701), message(702, sender=None), message(703, "look", attachments=[PNG]))
    await desk.run()
    assert sent(desk) == [("text", "*Rosa:*\nHello"), ("text", "Hello"), ("image", "*Rosa:*\nlook")]


async def test_typing_shows_for_as_long_as_the_inbox_wants(autojump_clock: Any) -> None:
    desk = office(typing_delay=Duration("2s"), mark_read=False)
    await arrive(desk, message())
    started = autojump_clock.current_time()
    with trio.move_on_after(1):
        await desk.run()
    assert sent(desk) == []
    assert [each.kind for each in desk.fakes.messages.signals] == ["typing"]
    assert autojump_clock.current_time() - started == 1


async def test_a_reply_shows_that_the_customers_last_message_was_read() -> None:
    desk = office()
    desk.customer_writes("wamid.1")
    desk.customer_writes("wamid.2")
    await arrive(desk, message(701), message(702))
    await desk.run()
    assert [(each.kind, each.message_ids) for each in desk.fakes.messages.signals] == [("seen", ("wamid.2",))]


async def test_an_automation_and_an_inbox_that_does_not_want_it_mark_nothing_read() -> None:
    for desk, document in ((office(), message(sender=None)), (office(mark_read=False), message())):
        desk.customer_writes("wamid.1")
        await arrive(desk, document)
        await desk.run()
        assert (len(desk.fakes.messages.submitted), desk.fakes.messages.signals) == (1, [])


async def test_a_conversation_of_an_agents_own_contact_goes_to_its_phone() -> None:
    desk = office()
    there = conversation(contact_inbox={"source_id": "0f8fad5b-d9cb-469f-a165-70867728950e"})
    await arrive(desk, message(conversation=there))
    await desk.run()
    assert [each.chat for each in desk.fakes.messages.submitted] == [CHAT]


async def test_a_conversation_that_we_know_goes_where_it_belongs_whatever_its_contact_says() -> None:
    desk = office()
    place = Place(contact=8, source_id="777@lid", conversation=CONVERSATION)
    await desk.app.ledger.put_place("main", "777@lid", place)
    await arrive(desk, message())
    await desk.run()
    assert [each.chat for each in desk.fakes.messages.submitted] == ["777@lid"]


async def test_an_echo_of_our_own_post_without_its_source_id_is_not_sent() -> None:
    desk = office()
    await desk.app.ledger.write(
        Entry(message=700, conversation=CONVERSATION, direction="own", account="main", chat=CHAT, whatsapp=("w.1",))
    )
    await arrive(desk, message())
    await desk.run()
    assert desk.fakes.messages.submitted == []
    assert desk.told() == []


@pytest.mark.parametrize("was_here", [True, False])
async def test_a_retry_about_which_chatwoot_can_not_be_asked_holds_nobody_up(was_here: bool) -> None:
    desk = office(http=FakeHttp(*[401] * 9))
    if was_here:
        await desk.app.ledger.write(
            Entry(message=700, conversation=CONVERSATION, direction="out", account="main", chat=CHAT, status="failed")
        )
        await desk.app.ledger.hand(700, Handed(parts=("",)))
    await arrive(desk, updated(700))
    with pytest.raises(Retry):
        await desk.run()
    assert desk.fakes.messages.submitted == []
    await desk.run(attempt=3)
    assert sent(desk) == ([("text", "Hello")] if was_here else [])


async def test_what_belongs_to_no_chat_fails_at_once_and_says_why() -> None:
    desk = office()
    there = conversation(contact_inbox={"source_id": "x"}, meta={"sender": {"phone_number": None}})
    await arrive(desk, message(conversation=there))
    await desk.run()
    [event] = desk.told()
    assert (event.kind, event.content) == (notices.FAILED, desk.app.texts("outgoing.no_chat"))
    assert desk.fakes.messages.submitted == []


async def test_an_empty_message_fails_at_once() -> None:
    desk = office()
    await arrive(desk, message(content=None))
    await desk.run()
    assert [event.content for event in desk.told()] == [desk.app.texts("outgoing.nothing_to_send")]


async def test_what_the_provider_can_not_do_fails_at_once_and_the_other_parts_go() -> None:
    desk = office()
    desk.fakes.messages.cannot = {"image", "document"}
    await arrive(desk, message(attachments=[PNG, OGG]), message(701, "next"))
    await desk.run()
    assert sent(desk) == [("text", "Hello"), ("voice", ""), ("text", "next")]
    [event] = desk.told()
    assert event.kind == notices.FAILED
    assert event.content.startswith("Not sent: ")
    assert "can't send document" in event.content
    handed = await desk.app.ledger.handed(700)
    assert handed is not None
    assert [bool(each) for each in handed.parts] == [True, False, True]


async def test_a_voice_note_is_a_plainer_file_for_a_provider_without_them() -> None:
    desk = office()
    desk.fakes.messages.cannot = {"voice", "audio"}
    await arrive(desk, message(content=None, attachments=[OGG]))
    await desk.run()
    assert sent(desk) == [("document", "")]


async def test_a_file_that_only_we_can_reach_is_fetched_by_us() -> None:
    desk = office(http=FakeHttp(answered(200, b"%PDF")))
    desk.fakes.http.refused[PDF["data_url"]] = AddressNotAllowedError("Address not allowed: 10.0.0.1")
    await arrive(desk, message(content=None, attachments=[PDF]))
    await desk.run()
    [out] = desk.fakes.messages.submitted
    assert out.media is not None
    assert out.media.url == ""
    kept = desk.fakes.media.kept[out.media.media_id]
    assert (kept.body, kept.filename, kept.mimetype) == (b"%PDF", "bill.pdf", "application/pdf")


@pytest.mark.parametrize(
    ("location", "fetched"),
    [
        ("http://chat.example:9000/blob", "http://chat.example:9000/blob"),
        ("/blob", "https://chat.example/blob"),
        ("https://cdn.example/blob", "https://cdn.example/blob"),
    ],
)
async def test_chatwoots_redirect_is_followed_to_where_the_file_lies(location: str, fetched: str) -> None:
    there = answered(302, headers={"location": location})
    desk = office(http=FakeHttp(there, answered(200, b"%PDF")))
    desk.fakes.http.refused[PDF["data_url"]] = AddressNotAllowedError("Address not allowed: 10.0.0.1")
    await arrive(desk, message(content=None, attachments=[PDF]))
    await desk.run()
    assert desk.fakes.http.sent[-1].url == fetched
    assert [each.body for each in desk.fakes.media.kept.values()] == [b"%PDF"]


@pytest.mark.parametrize("error", [AddressNotAllowedError("Address not allowed: 10.0.0.9"), BadUrlError("no")])
async def test_a_file_that_lies_where_we_may_not_fetch_fails_its_message_at_once(error: HttpError) -> None:
    desk = office(http=FakeHttp(answered(302, headers={"location": "http://inside.example/blob"}), error))
    desk.fakes.http.refused[PDF["data_url"]] = AddressNotAllowedError("Address not allowed: 10.0.0.1")
    await arrive(desk, message(content=None, attachments=[PDF]))
    await desk.run()
    [event] = desk.told()
    assert error.reason in event.content


@pytest.mark.parametrize(
    "url",
    [
        "https://inside.example/secret",
        "https://chat.example:8443/secret",
        "http://chat.example/secret",
        "https://inside.example/rails/active_storage/../../secret",
        "https://inside.example/x?/rails/active_storage/",
        "http://[/rails/active_storage/x",
    ],
)
async def test_a_file_of_another_origin_is_not_fetched_by_anybody(url: str) -> None:
    desk = office()
    await arrive(desk, message(content=None, attachments=[PDF | {"data_url": url}]))
    await desk.run()
    assert desk.fakes.http.sent == []
    assert desk.fakes.messages.submitted == []
    [event] = desk.told()
    assert "could not be read from Chatwoot" in event.content


async def test_a_file_behind_chatwoots_public_name_is_fetched_at_its_own_address() -> None:
    desk = office(http=FakeHttp(answered(200, b"%PDF")), url="http://chatwoot:3000")
    own = "http://chatwoot:3000/rails/active_storage/blobs/redirect/abc--sig/bill.pdf?disposition=inline"
    public = own.replace("http://chatwoot:3000", "https://inside.example")
    await arrive(desk, message(content=None, attachments=[PDF | {"data_url": public}]))
    await desk.run()
    assert [each.url for each in desk.fakes.http.sent] == [own, own]
    assert [each.body for each in desk.fakes.media.kept.values()] == [b"%PDF"]


async def test_a_file_at_an_origin_that_the_operator_names_goes_as_it_is() -> None:
    desk = office(files_from=("https://files.example",))
    await arrive(desk, message(content=None, attachments=[PDF | {"data_url": "https://files.example/a.pdf"}]))
    await desk.run()
    [out] = desk.fakes.messages.submitted
    assert desk.fakes.http.sent == []
    assert out.media is not None
    assert out.media.url == "https://files.example/a.pdf"


async def test_a_file_that_is_gone_fails_its_message() -> None:
    desk = office(http=FakeHttp(answered(404)))
    desk.fakes.http.refused[PDF["data_url"]] = AddressNotAllowedError("Address not allowed: 10.0.0.1")
    await arrive(desk, message(content=None, attachments=[PDF]))
    await desk.run()
    [event] = desk.told()
    assert "bill.pdf" in event.content
    assert desk.fakes.messages.submitted == []


async def test_a_file_that_can_not_be_fetched_now_is_fetched_later() -> None:
    desk = office(http=FakeHttp(TimedOutError(), answered(200, b"%PDF")))
    desk.fakes.http.refused[PDF["data_url"]] = AddressNotAllowedError("Address not allowed: 10.0.0.1")
    await arrive(desk, message(content="bill", attachments=[PNG, PDF]))
    with pytest.raises(Retry, match="could not be fetched"):
        await desk.run()
    await desk.run()
    assert sent(desk) == [("text", "bill"), ("image", ""), ("document", "")]


async def test_a_file_that_never_comes_fails_its_message_and_holds_the_next_one_no_longer() -> None:
    desk = office(http=FakeHttp(TimedOutError()))
    desk.fakes.http.refused[PDF["data_url"]] = AddressNotAllowedError("Address not allowed: 10.0.0.1")
    await arrive(desk, message(701, "bill", attachments=[PDF]), message(702, "next"))
    for attempt in (1, 2):
        with pytest.raises(Retry):
            await desk.run(attempt=attempt)
    await desk.run(attempt=3)
    assert sent(desk) == [("text", "next")]
    [event] = desk.told()
    assert (event.kind, event.extra["metadata"]["message"]) == (notices.FAILED, 701)
    assert "bill.pdf" in event.content
