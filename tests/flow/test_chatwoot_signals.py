"""What agents do shows on WhatsApp at once: typing, and that a message was read."""

from __future__ import annotations

import pytest

from tests.chatwoot_office import ANA, Office, office
from wagate_chatwoot.to_whatsapp import signals


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that takes longer than this is dropped; here none is, however slow the machine is."""
    monkeypatch.setattr(signals, "PATIENCE", 60.0)


def asked(here: Office, *paths: str) -> list[tuple[str, str]]:
    """Requests for these paths that WAHA got, and the chats they were about."""
    return [(seen.path, seen.json["chatId"]) for seen in here.waha.seen if seen.path in paths]


async def test_an_agents_typing_shows_and_a_private_notes_does_not() -> None:
    async with office() as here:
        talk = await here.talk()
        here.chatwoot.agent.types(talk, private=True)
        here.chatwoot.agent.types(talk)
        await here.until(lambda: asked(here, "/api/startTyping") == [("/api/startTyping", ANA)])
        here.chatwoot.agent.types(talk, on=False)
        await here.until(lambda: asked(here, "/api/stopTyping") == [("/api/stopTyping", ANA)])
        assert asked(here, "/api/startTyping") == [("/api/startTyping", ANA)]


async def test_a_reply_marks_what_was_read_once_and_taking_a_conversation_does_if_the_inbox_says_so() -> None:
    async with office(mark_read_assigned=True) as here:
        talk = await here.talk()
        here.chatwoot.agent.takes(talk)
        await here.until(lambda: len(asked(here, "/api/sendSeen")) == 1)
        here.chatwoot.agent.writes(talk, "hello")
        await here.until_sent(1)
        await here.comes("one more")
        await here.chatwoot.until_posted(2)
        here.chatwoot.agent.writes(talk, "yes")
        here.chatwoot.agent.writes(talk, "and no")
        await here.until_sent(3)
        await here.until(lambda: len(asked(here, "/api/sendSeen")) == 2)


async def test_typing_shows_before_a_message_for_as_long_as_the_inbox_wants() -> None:
    async with office(typing_delay="0.3s") as here:
        talk = await here.talk()
        here.chatwoot.agent.writes(talk, "hello")
        await here.until_sent(1)
        paths = [seen.path for seen in here.waha.seen if seen.path in {"/api/startTyping", "/api/sendText"}]
        assert paths == ["/api/startTyping", "/api/sendText"]
