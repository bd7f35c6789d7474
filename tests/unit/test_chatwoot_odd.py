"""Odd things from WhatsApp in Chatwoot: messages about messages that it never saw, names that show nothing."""

from __future__ import annotations

import pytest

from tests.chatwoot_desk import CHAT, a_desk
from wagate.testing import make_event


async def test_an_answer_to_what_chatwoot_never_saw_shows_the_words_that_it_answers() -> None:
    async with a_desk() as desk:
        quoted = {"quoted": {"sender": CHAT, "content": "the *price*?\nof two"}}
        answer = await desk.takes(reply_to="wamid.0", content="20", extra=quoted)
        assert answer.content == r"> the \*price\*? of two" + "\n\n20"
        known = await desk.takes(message_id="wamid.2", reply_to="wamid.1", content="yes", extra=quoted)
        assert (known.content, known.content_attributes["in_reply_to"]) == ("yes", answer.id)
        long = {"quoted": {"content": "x" * 500}}
        shown = await desk.takes(message_id="wamid.3", reply_to="wamid.0", content="20", extra=long)
        assert shown.content == f"> {'x' * 200}…\n\n20"


@pytest.mark.parametrize(
    ("kind", "told"), [("message.edited", "new"), ("message.revoked", ""), ("message.reaction", "👍")]
)
async def test_what_is_about_a_message_that_chatwoot_never_saw_is_shown_once(kind: str, told: str) -> None:
    async with a_desk() as desk:
        event = make_event(kind=kind, message_id="wamid.0", content=told, extra={"reaction": {"text": told}})
        for attempt in (1, 2):
            await desk.handle(desk.arrives(event, attempt=attempt))
        [shown] = desk.server.posted()
        assert told in (shown.content or "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u200b\u200e", "+5511999999999"),
        ("\u202eanA", "anA"),
        ("🙂", "🙂"),
        ("A" * 300, "A" * 200),
        (" \n ", "+5511999999999"),
    ],
)
async def test_a_name_is_shown_as_far_as_it_shows_anything(name: str, shown: str) -> None:
    async with a_desk() as desk:
        assert (await desk.takes(contact_name=name)).conversation.contact.name == shown
