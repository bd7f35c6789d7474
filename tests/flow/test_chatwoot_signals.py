"""What agents do shows on WhatsApp at once: typing, and that a message was read."""

from __future__ import annotations

import pytest

from tests.chatwoot_office import ANA, Office, office
from wagate_chatwoot import signals


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


async def test_waha_is_asked_once_to_tell_when_the_customer_of_a_conversation_types() -> None:
    async with office() as here:
        group = "120363000000000001@g.us"
        await here.comes("hello", group, participant=ANA)
        await here.chatwoot.until_posted(1)
        for text in ("hi", "one more"):
            await here.comes(text)
        await here.chatwoot.until_posted(3)
        await here.until(lambda: bool(here.waha.watched))
        assert here.waha.watched == [ANA]
        await here.gateway.passes(signals.WATCH_AGAIN + 1)
        await here.comes("later")
        await here.until(lambda: len(here.waha.watched) == 2)


async def test_no_more_chats_are_watched_than_a_number_may_and_none_where_typing_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "MOST_WATCHED", 1)
    async with office() as here:
        for number, chat in enumerate((ANA, "18880000000@c.us"), 1):
            await here.comes("hi", chat)
            await here.chatwoot.until_posted(number)
        await here.until(lambda: bool(here.waha.watched))
        assert here.waha.watched == [ANA]
    async with office(show_typing=False) as here:
        await here.comes("hi")
        await here.chatwoot.until_posted(1)
        talk = here.chatwoot.posted()[0].conversation
        here.chatwoot.agent.types(talk)
        await here.until(lambda: bool(asked(here, "/api/startTyping")))
        assert here.waha.watched == []


async def test_typing_shows_before_a_message_for_as_long_as_the_inbox_wants() -> None:
    async with office(typing_delay="0.3s") as here:
        talk = await here.talk()
        here.chatwoot.agent.writes(talk, "hello")
        await here.until_sent(1)
        paths = [seen.path for seen in here.waha.seen if seen.path in {"/api/startTyping", "/api/sendText"}]
        assert paths == ["/api/startTyping", "/api/sendText"]
