"""Whom an agent's message to a group mentions: by number, or by LID as it was copied."""

from __future__ import annotations

import pytest

from tests.chatwoot_desk import a_desk
from wagate.hooks import OutMessage
from wagate_chatwoot.to_whatsapp.mentions import may_be_number, with_mentions

GROUP = "120363000000000001@g.us"


async def mentioned(text: str, *, chat: str = GROUP, known: tuple[tuple[str, ...], ...] = ()) -> tuple[str, ...]:
    async with a_desk() as desk:
        desk.fakes.people.persons = list(known)
        part = OutMessage(chat=chat, type="text", text=text)
        found = await with_mentions(desk.app, part)
        assert found.text == text
        return found.mentions


async def test_people_are_mentioned_once_and_in_groups_only() -> None:
    text = "@34600111222 and @34600111222, not mail@5511999999999.example"
    assert await mentioned(text) == ("34600111222@c.us",)
    assert await mentioned(text, chat="5511999999999@c.us") == ()


async def test_a_lid_is_never_made_into_a_number() -> None:
    assert await mentioned("@70000000000001 please") == ("70000000000001@lid",)
    assert await mentioned("@491512345678901 please") == ("491512345678901@lid",)


async def test_what_is_known_here_decides() -> None:
    lid, number = "34600111222@lid", "70000000000001@c.us"
    assert await mentioned("@34600111222", known=((lid,),)) == (lid,)
    assert await mentioned("@70000000000001", known=((number,),)) == (number,)


@pytest.mark.parametrize(("digits", "may"), [("34600111222", True), ("70000000000001", False), ("0000000", False)])
def test_no_number_is_longer_than_those_that_there_are(digits: str, may: bool) -> None:
    assert may_be_number(digits) is may
