"""What happens on WhatsApp, in Chatwoot: once, in the right place, with the right words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_desk import CHAT, a_desk
from wagate.errors import Postpone, Reject, Retry
from wagate.events import Media
from wagate.events.acks import ack_extra
from wagate.hooks import OutMessage
from wagate.testing import FakeFile, make_event
from wagate.testing.chatwoot import contacts, faults
from wagate_chatwoot.ledger import Entry, Handed
from wagate_chatwoot.to_chatwoot.conversations import ended

LID = "777@lid"


async def test_a_first_message_makes_contact_and_conversation_and_the_next_one_costs_one_request() -> None:
    async with a_desk() as desk:
        first = await desk.takes(content="*Hi* there", contact_name="Ana")
        assert (first.content, first.message_type, first.source_id) == ("**Hi** there", "incoming", "wamid.1")
        contact = first.conversation.contact
        assert (contact.name, contact.phone_number, contact.identifier) == ("Ana", "+5511999999999", CHAT)
        assert first.conversation.contact_inbox.source_id == CHAT
        desk.server.seen.clear()
        await desk.takes(message_id="wamid.2", contact_name="Ana")
        assert desk.requests() == [f"POST conversations/{first.conversation.id}/messages"]
        assert len(desk.server.state.contacts) == 1


@pytest.mark.parametrize(
    "fault", [faults.done_then_500(), faults.done_then_reset(), faults.refused_500(), faults.reset()]
)
async def test_after_an_unknown_outcome_it_looks_before_it_posts_again(fault: Any) -> None:
    async with a_desk() as desk:
        await desk.takes()
        desk.server.fail(fault)
        delivery = desk.arrives(message_id="wamid.2")
        with pytest.raises(Retry):
            await desk.handle(delivery)
        # A probe does not count as an attempt: the memory of this process must be enough.
        await desk.handle(delivery)
        assert [each.source_id for each in desk.server.posted()] == ["wamid.1", "wamid.2"]


async def test_what_was_posted_before_a_crash_is_not_posted_again() -> None:
    async with a_desk() as desk:
        delivery = desk.arrives()
        await desk.handle(delivery)
        # Killed between Chatwoot's answer and the ledger: the row is not there.
        for key in [key for key in desk.fakes.store.rows if "/cw/" in key or "/wa/" in key]:
            del desk.fakes.store.rows[key]
        desk.restart()
        await desk.handle(delivery)
        assert len(desk.server.posted()) == 1
        assert await desk.app.ledger.by_whatsapp("main", "wamid.1", [CHAT]) is not None
        desk.restart()
        desk.server.seen.clear()
        await desk.handle(delivery)
        assert desk.requests() == []


async def test_it_is_found_behind_many_later_messages() -> None:
    async with a_desk() as desk:
        delivery = desk.arrives()
        await desk.handle(delivery)
        conversation = desk.server.conversation(CHAT)
        for number in range(45):
            desk.server.agent.notes(conversation, f"note {number}")
        desk.fakes.store.rows = {key: row for key, row in desk.fakes.store.rows.items() if "/wa/" not in key}
        desk.restart()
        await desk.handle(delivery)
        assert len(desk.server.posted()) == 1


async def test_a_deleted_conversation_is_replaced() -> None:
    async with a_desk() as desk:
        first = await desk.takes()
        desk.server.agent.deletes_conversation(first.conversation)
        second = await desk.takes(message_id="wamid.2")
        assert second.conversation is not first.conversation
        desk.server.agent.deletes_contact(second.conversation.contact)
        third = await desk.takes(message_id="wamid.3")
        assert third.conversation.contact in desk.server.state.contacts


async def test_a_wrong_token_stops_the_inbox_and_spends_no_attempt() -> None:
    async with a_desk() as desk:
        desk.server.fail(*[faults.unauthorized("Account is suspended")] * 9)
        with pytest.raises(Retry) as caught:
            await desk.handle(desk.arrives())
        assert caught.value.down
        assert "Account is suspended" in caught.value.reason
        assert caught.value.http_status == 401


async def test_too_fast_is_a_wait_and_refused_is_final() -> None:
    async with a_desk() as desk:
        await desk.takes()
        desk.server.fail(faults.throttled(7))
        with pytest.raises(Postpone) as caught:
            await desk.handle(desk.arrives(message_id="wamid.2"))
        assert caught.value.after == 7.0
        desk.server.fail(faults.too_many_messages())
        with pytest.raises(Postpone):
            await desk.handle(desk.arrives(message_id="wamid.2"))
        desk.server.inbox.channel = "Channel::Email"
        with pytest.raises(Reject):
            await desk.handle(desk.arrives(message_id="wamid.2"))


async def test_a_file_goes_along_and_one_that_is_gone_is_named() -> None:
    async with a_desk() as desk:
        media = Media(mimetype="audio/ogg", filename="a.ogg")
        event = make_event(type="voice", content="", media=media)
        desk.fakes.media.files[event.id] = FakeFile(b"OggS" * 50_000, "audio/ogg", "a.ogg")
        await desk.handle(desk.arrives(event))
        [message] = desk.server.posted()
        [file] = message.attachments
        assert (file.filename, file.size, file.voice, file.content_type) == ("a.ogg", 200_000, True, "audio/ogg")
        assert message.source_id == "wamid.1"
        gone = await desk.takes(message_id="wamid.2", type="image", content="look", media=media)
        assert gone.attachments == []
        assert gone.content is not None
        assert gone.content.startswith("look\n\n")
        assert "a.ogg" in gone.content


async def test_a_file_that_is_too_large_leaves_its_words_and_a_link() -> None:
    async with a_desk() as desk:
        await desk.takes()
        event = make_event(message_id="wamid.2", type="document", content="", media=Media(filename="big.pdf"))
        desk.fakes.media.files[event.id] = FakeFile(b"x" * 10, "application/pdf", "big.pdf")
        desk.server.fail(faults.Fault(reply=faults.Reply(status=413), path="/messages"))
        await desk.handle(desk.arrives(event))
        text = desk.server.posted()[-1].content or ""
        assert "big.pdf" in text
        assert f"https://gateway.example/media/{event.id}" in text


async def test_a_group_shows_who_wrote_and_replies_are_threaded() -> None:
    async with a_desk() as desk:
        group = "12036304@g.us"
        asked = await desk.takes(chat=group, contact_name="Ana", extra={"group_name": "Team"}, content="who?")
        assert asked.conversation.contact.name == "Team (Group)"
        assert asked.conversation.contact.phone_number is None
        assert asked.content == "**Ana (+5511999999999)**:\nwho?"
        answer = await desk.takes(message_id="wamid.2", chat=group, reply_to="wamid.1", content="me")
        assert answer.content_attributes["in_reply_to"] == asked.id


async def test_an_edit_a_reaction_and_a_deletion_are_replies() -> None:
    async with a_desk() as desk:
        first = await desk.takes(content="hello")
        edit = await desk.takes(kind="message.edited", content="hello!", extra={"editedMessageId": "wamid.1"})
        thumb = await desk.takes(
            kind="message.reaction", type="reaction", content="👍", extra={"reaction": {"text": "👍"}}
        )
        gone = await desk.takes(kind="message.revoked", type="revoked", content="")
        assert [each.content_attributes["in_reply_to"] for each in (edit, thumb, gone)] == [first.id] * 3
        assert "hello!" in (edit.content or "")
        assert "👍" in (thumb.content or "")
        assert (gone.private, gone.message_type) == (True, "outgoing")


async def test_an_alias_leads_to_the_same_contact_and_conversation() -> None:
    async with a_desk() as desk:
        first = await desk.takes(chat=LID, sender=LID, contact_name="Ana")
        assert first.conversation.contact.phone_number is None
        second = await desk.takes(message_id="wamid.2", extra={"aliases": [LID]}, contact_name="Ana")
        assert second.conversation is first.conversation
        assert second.conversation.contact.phone_number == "+5511999999999"
        third = await desk.takes(message_id="wamid.3", chat=LID, sender=LID)
        assert third.conversation is first.conversation
        assert len(desk.server.state.contacts) == 1


async def test_two_contacts_of_one_person_become_one() -> None:
    async with a_desk() as desk:
        await desk.takes(chat=LID, sender=LID)
        await desk.takes(message_id="wamid.2")
        assert len(desk.server.state.contacts) == 2
        await desk.takes(message_id="wamid.3", extra={"aliases": [LID]})
        [contact] = desk.server.state.contacts
        assert {each.source_id for each in desk.server.state.sources_of(contact)} == {LID, CHAT}
        fourth = await desk.takes(message_id="wamid.4", chat=LID, sender=LID)
        assert fourth.conversation.contact is contact


@pytest.mark.parametrize("known", ["+551199999999", "+5511999999999"])
async def test_a_brazilian_contact_is_found_with_and_without_the_ninth_digit(known: str) -> None:
    async with a_desk() as desk:
        theirs = desk.server.state.contacts
        made = await desk.app.chatwoot.call("POST", "contacts", {"name": "Ana", "phone_number": known})
        message = await desk.takes()
        assert [each.id for each in theirs] == [made["payload"]["contact"]["id"]]
        assert message.conversation.contact is theirs[0]


async def test_a_number_taken_meanwhile_is_looked_up() -> None:
    async with a_desk() as desk:
        other: dict[str, Any] = {"name": "Ana", "phone_number": "+5511999999999"}

        def race() -> None:
            desk.server.meanwhile.append(
                ("/contacts", lambda: contacts.create(desk.server.state, desk.server.account, other))
            )

        desk.server.meanwhile.append(("/contacts/filter", race))
        message = await desk.takes()
        assert len(desk.server.state.contacts) == 1
        assert message.conversation.contact.name == "Ana"


async def test_a_made_up_name_gives_way_to_the_shown_one_and_a_given_one_stays() -> None:
    async with a_desk() as desk:
        first = await desk.takes(kind="message.any", from_me=True, extra={"source": "api", "id": "m0"})
        contact = first.conversation.contact
        assert contact.name == "+5511999999999"
        await desk.takes(message_id="wamid.2", contact_name="Ana")
        assert contact.name == "Ana"
        contact.name = "Ana from sales"
        await desk.takes(message_id="wamid.3", contact_name="Anna")
        assert contact.name == "Ana from sales"


async def test_a_resolved_conversation_is_used_again_or_followed_by_a_new_one() -> None:
    async with a_desk() as desk:
        first = await desk.takes()
        desk.server.agent.resolves(first.conversation)
        again = await desk.takes(message_id="wamid.2")
        assert again.conversation is first.conversation
        assert first.conversation.status == "open"
    async with a_desk(conversations={"mode": "new"}) as desk:
        first = await desk.takes()
        desk.server.agent.resolves(first.conversation)
        await ended(desk.app, first.conversation.id, "resolved")
        second = await desk.takes(message_id="wamid.2")
        assert second.conversation is not first.conversation


async def test_a_notice_goes_into_the_last_conversation_and_begins_none() -> None:
    async with a_desk(conversations={"mode": "new"}) as desk:
        first = await desk.takes()
        desk.server.agent.resolves(first.conversation)
        await ended(desk.app, first.conversation.id, "resolved")
        note = await desk.takes(kind="message.revoked", type="revoked")
        assert (note.conversation, note.private) == (first.conversation, True)
        assert [each.status for each in desk.server.state.conversations] == ["resolved"]


async def test_what_was_resolved_while_nobody_listened_is_followed_by_a_new_one() -> None:
    async with a_desk(conversations={"status": ["open", "pending"]}) as desk:
        first = await desk.takes()
        desk.restart()
        desk.fakes.clock.shift(5.0)
        again = await desk.takes(message_id="wamid.2")
        assert again.conversation is first.conversation
        desk.server.agent.resolves(first.conversation)
        desk.restart()
        desk.fakes.clock.shift(5.0)
        second = await desk.takes(message_id="wamid.3")
        assert second.conversation is not first.conversation


async def test_a_groups_name_follows_the_group() -> None:
    async with a_desk() as desk:
        group = "12036304@g.us"
        first = await desk.takes(chat=group)
        contact = first.conversation.contact
        assert contact.name == "12036304 (Group)"
        await desk.takes(chat=group, message_id="wamid.2", extra={"group_name": "Team"})
        assert contact.name == "Team (Group)"
        await desk.takes(chat=group, message_id="wamid.3", extra={"group_name": "The team"})
        assert contact.name == "The team (Group)"


def ack(status: str, message_id: str = "wamid.1", reason: str = "") -> dict[str, Any]:
    extra = ack_extra(status, reason=reason)
    return {"kind": "message.ack", "type": "ack", "message_id": message_id, "from_me": True, "extra": extra}


async def test_ticks_only_rise() -> None:
    async with a_desk() as desk:
        message = await desk.takes(kind="message.any", from_me=True)
        assert (message.message_type, message.private) == ("outgoing", False)
        seen = []
        for status in ("sent", "delivered", "read", "delivered", "sent", "played"):
            await desk.handle(desk.arrives(**ack(status)))
            seen.append(message.status)
        assert seen == ["sent", "delivered", "read", "read", "read", "read"]
        assert sum(request.startswith("PATCH") for request in desk.requests()) == 2


async def test_a_failure_on_the_phone_says_why_and_a_later_delivery_wins() -> None:
    async with a_desk() as desk:
        message = await desk.takes(kind="message.any", from_me=True)
        await desk.handle(desk.arrives(**ack("failed", reason="no such number")))
        assert (message.status, message.content_attributes["external_error"]) == ("failed", "no such number")
        await desk.handle(desk.arrives(**ack("delivered")))
        assert message.status == "delivered"


async def from_chatwoot(desk: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
    """A message that an agent wrote and that was handed on, and the event that tells that it was sent."""
    await desk.takes(message_id="wamid.0")
    message = desk.server.agent.writes(desk.server.conversation(CHAT), "from us")
    view = await desk.fakes.messages.send(OutMessage(chat=CHAT, type="text", text="from us"), client_id=1)
    conversation = message.conversation.id
    await desk.app.ledger.write(
        Entry(message=message.id, conversation=conversation, direction="out", account="main", chat=CHAT)
    )
    await desk.app.ledger.hand(message.id, Handed(parts=(view.id,)))
    origin = {"inbox": "support", "message": message.id, "conversation": conversation}
    extra = {"source": "chatwoot", "id": view.id, "metadata": origin}
    return message, {
        "kind": "message.any",
        "from_me": True,
        "message_id": "wamid.1",
        "content": "from us",
        "extra": extra,
    }


async def test_what_an_agent_wrote_is_not_written_again_and_gets_its_ticks() -> None:
    async with a_desk() as desk:
        message, sent = await from_chatwoot(desk)
        await desk.handle(desk.arrives(**sent))
        assert len(desk.server.posted()) == 1
        await desk.handle(desk.arrives(**ack("read")))
        assert message.status == "read"


async def test_a_providers_echo_of_an_agents_message_is_known_by_its_id() -> None:
    async with a_desk() as desk:
        message, sent = await from_chatwoot(desk)
        desk.fakes.messages.becomes = "sent"
        row = await desk.fakes.messages.wait(sent["extra"]["id"], client_id=1, seconds=1)
        echo = sent | {"message_id": row.message_id, "extra": {"source": "api"}}
        await desk.handle(desk.arrives(**echo))
        assert len(desk.server.posted()) == 1
        await desk.handle(desk.arrives(**ack("delivered", message_id=str(row.message_id))))
        assert message.status == "delivered"


async def test_an_echo_waits_while_something_is_being_sent_to_its_chat() -> None:
    async with a_desk() as desk:
        _, sent = await from_chatwoot(desk)
        desk.fakes.messages.becomes = "sending"
        await desk.fakes.messages.wait(sent["extra"]["id"], client_id=1, seconds=1)
        with pytest.raises(Postpone):
            await desk.handle(desk.arrives(**sent | {"extra": {}}))


async def test_own_messages_can_be_notes_or_left_out() -> None:
    async with a_desk(own_messages="private") as desk:
        note = await desk.takes(kind="message.any", from_me=True, content="hi")
        assert (note.private, note.message_type) == (True, "outgoing")
    async with a_desk(own_messages="off") as desk:
        await desk.handle(desk.arrives(kind="message.any", from_me=True))
        assert desk.server.posted() == []


@pytest.mark.parametrize(
    ("extra", "said"), [({}, "message.own"), ({"id": "m-1", "source": "api"}, "message.own_elsewhere")]
)
async def test_a_note_says_whether_somebody_wrote_on_the_phone(extra: dict[str, str], said: str) -> None:
    async with a_desk(own_messages="private") as desk:
        note = await desk.takes(kind="message.any", from_me=True, content="hi", extra=extra)
        assert note.content == desk.app.texts(said, text="hi")


async def test_an_inbox_with_several_accounts_keeps_their_chats_apart() -> None:
    async with a_desk(accounts=[]) as desk:
        first = await desk.takes()
        other = await desk.takes(account="second", message_id="wamid.2")
        assert first.conversation.contact is other.conversation.contact
        assert first.conversation is not other.conversation
        sources = {each.source_id for each in desk.server.state.contact_inboxes}
        assert sources == {f"main/{CHAT}", f"second/{CHAT}"}


async def test_targets_are_the_inboxes_that_show_the_account() -> None:
    async with a_desk() as desk:
        shown = [target.id for target in desk.handler.targets(make_event())]
        others = [make_event(account="second"), make_event(tenant="acme"), make_event(kind="presence.update")]
        assert shown == ["in/support"]
        assert [list(desk.handler.targets(each)) for each in others] == [[], [], []]
