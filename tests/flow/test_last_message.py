"""Seen and typing with only a chat, as WAHA's clients ask: the last message that came in stands for the chat."""

from __future__ import annotations

from tests.flow.test_infobip_flow import gateway as infobip_gateway
from tests.flow.test_infobip_flow import post as infobip_post
from tests.flow.test_meta_flow import gateway_with, post
from tests.infobip_document import strict_infobip
from wagate.testing.providers.meta import FakeMeta

THEM = "5511988880001"
CHAT = {"chatId": f"{THEM}@c.us"}


async def test_meta_marks_the_last_message_of_the_chat_and_shows_typing() -> None:
    fake = FakeMeta()
    async with gateway_with(fake) as (running, _):
        asked = {"session": "shop", "chatId": "19995550000@c.us"}
        await running.ask("POST", "/api/sendSeen", 201, json=asked)
        assert fake.signals == []  # nothing came from there
        first, last = fake.text("one"), fake.text("two")
        for message in (first, last):
            await post(running, fake, fake.incoming(message))
        chat = {"session": "shop", "chatId": f"{last['from']}@c.us"}
        await running.ask("POST", "/api/sendSeen", 201, json=chat)
        await running.ask("POST", "/api/startTyping", 201, json=chat)
        await running.ask("POST", "/api/stopTyping", 201, json=chat)
        await running.ask("POST", "/api/sendSeen", 201, json=chat | {"messageIds": [first["id"]]})
    assert [each["message_id"] for each in fake.signals] == [last["id"], last["id"], first["id"]]
    assert ["typing_indicator" in each for each in fake.signals] == [False, True, False]


async def test_infobip_marks_the_last_message_of_the_chat_and_shows_typing() -> None:
    fake = strict_infobip()
    async with infobip_gateway(fake) as found:
        document = fake.incoming({"type": "TEXT", "text": "one"}, {"type": "TEXT", "text": "two"})
        await infobip_post(found, document)
        chat = {"session": "main", **CHAT}
        await found.ask("POST", "/api/sendSeen", 201, json=chat)
        await found.ask("POST", "/api/startTyping", 201, json=chat)
    assert fake.read == [document["results"][-1]["messageId"]]
    assert [each["destinations"] for each in fake.events] == [[{"to": THEM}]]


async def test_what_is_no_dialogue_is_refused_by_the_name_of_its_field() -> None:
    fake = strict_infobip()
    async with infobip_gateway(fake) as found:
        asked = {"account": "main", "to": "status@broadcast", "message": {"text": "Hello"}}
        refused = await found.ask("POST", "/messages/send", 422, json=asked)
        assert refused["errors"][0]["field"] == "to"
        assert "where stories are published" in refused["detail"]
        said = await found.ask(
            "POST", "/api/sendText", 422, json={"session": "main", "chatId": "1@newsletter", "text": "Hello"}
        )
        assert "a channel can't be answered" in str(said)
    assert fake.messages == {}
