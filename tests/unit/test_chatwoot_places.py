"""Whose chat a source_id is, whoever wrote it."""

from __future__ import annotations

import pytest

from tests.chatwoot_agents import CHAT, arrive, conversation, inbox, message, office
from wagate_chatwoot.to_chatwoot.people import chat_of


@pytest.mark.parametrize(
    "source",
    ["34600111222@c.us", "34600111222@s.whatsapp.net", "34600111222:7@s.whatsapp.net", "+34600111222",
     "+34 600 111 222", "whatsapp:+34600111222"],
)  # fmt: skip
def test_every_form_of_a_number_is_the_same_chat(source: str) -> None:
    assert chat_of(inbox(), source) == ("main", CHAT)
    assert chat_of(inbox(accounts=("main", "second")), f"second/{source}") == ("second", CHAT)


@pytest.mark.parametrize(
    "source", ["", "34600111222", "6f1de4b0-8b5e-4c2f-9a57-0c6f3f3f8a11", "ana@shop.example", "+", "x"]
)
def test_what_is_no_chat_is_none(source: str) -> None:
    assert chat_of(inbox(), source) is None


@pytest.mark.parametrize("source", ["123@g.us", "77@lid", "abc@user", "9@newsletter", "status@broadcast"])
def test_a_key_is_its_own(source: str) -> None:
    assert chat_of(inbox(), source) == ("main", source)


@pytest.mark.parametrize("source", ["+34600111222", "whatsapp:+34600111222", "34600111222@s.whatsapp.net"])
@pytest.mark.parametrize("accounts", [("main",), ()])
async def test_an_agents_answer_reaches_a_contact_of_another_connector(source: str, accounts: tuple[str, ...]) -> None:
    desk = office(accounts=accounts)
    other = {"sender": {"id": 8, "phone_number": None, "identifier": None, "type": "contact"}}
    await arrive(desk, message(conversation=conversation(contact_inbox={"source_id": source}, meta=other)))
    await desk.run()
    assert [each.chat for each in desk.fakes.messages.submitted] == [CHAT]
