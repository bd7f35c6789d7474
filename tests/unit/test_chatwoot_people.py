"""Whose chat it is: people under all their keys and forms of numbers, groups, channels, lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_desk import a_desk


@pytest.mark.parametrize(
    ("chat", "extra", "name"),
    [
        ("120363000000000001@g.us", {"group_name": "Family"}, "Family (Group)"),
        ("5511999999999-1600000000@g.us", {}, "5511999999999-1600000000 (Group)"),
        ("120363000000000002@newsletter", {"group_name": "News"}, "News (Channel)"),
        ("1600000000@broadcast", {}, "1600000000 (Broadcast)"),
        ("status@broadcast", {}, "WhatsApp status"),
    ],
)
async def test_what_is_no_person_is_a_contact_without_a_number(chat: str, extra: dict[str, Any], name: str) -> None:
    async with a_desk() as desk:
        message = await desk.takes(chat=chat, sender="5511988887777@c.us", contact_name="Bob", extra=extra)
        contact = message.conversation.contact
        assert (contact.name, contact.phone_number, contact.identifier) == (name, None, chat)
        assert message.conversation.contact_inbox.source_id == chat
        again = await desk.takes(chat=chat, sender="5511977776666@c.us", message_id="wamid.2", extra=extra)
        assert again.conversation is message.conversation


@pytest.mark.parametrize(
    ("known", "writes"),
    [
        ("+5511999998888", "551199998888@c.us"),
        ("+551199998888", "5511999998888@c.us"),
        ("+5491123456789", "541123456789@c.us"),
        ("+541123456789", "5491123456789@c.us"),
    ],
)
async def test_a_contact_of_an_agent_is_found_in_either_form_of_its_number(known: str, writes: str) -> None:
    async with a_desk() as desk:
        theirs = await desk.app.chatwoot.create_contact("made-by-an-agent", name="Ana of sales", phone_number=known)
        message = await desk.takes(chat=writes, sender=writes)
        assert message.conversation.contact.id == theirs.id
        assert [each.name for each in desk.server.state.contacts] == ["Ana of sales"]


async def test_an_agents_conversation_goes_on_with_the_answer_of_the_customer() -> None:
    async with a_desk() as desk:
        theirs = await desk.app.chatwoot.create_contact("a-uuid", name="Ana", phone_number="+5511999999999")
        began = await desk.app.chatwoot.create_conversation(theirs.id, "a-uuid")
        message = await desk.takes()
        assert message.conversation.id == began.id


async def test_a_business_scoped_id_and_a_number_that_comes_later_are_one_contact() -> None:
    async with a_desk() as desk:
        first = await desk.takes(chat="BR.12345@user", sender="BR.12345@user", contact_name="Ana")
        assert first.conversation.contact.phone_number is None
        aliases = {"aliases": ["BR.12345@user"]}
        second = await desk.takes(message_id="wamid.2", extra=aliases, contact_name="Ana")
        assert second.conversation is first.conversation
        assert first.conversation.contact.phone_number == "+5511999999999"
