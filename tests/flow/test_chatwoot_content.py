"""What customers send that is no plain text, and chats that are no dialogue, as agents see them."""

from __future__ import annotations

from typing import Any

from tests.chatwoot_office import ANA, KEY, Office, office

STORIES = "status@broadcast"
STORY = f"false_{STORIES}_ST1_{ANA}"


async def contains(here: Office, number: int, message: dict[str, Any]) -> str:
    """What agents read of a message whose words stand in the engine's data alone."""
    data = {"Info": {"PushName": "Ana"}, "Message": message}
    await here.comes("", bare_id(number), body=None, _data=data)
    await here.chatwoot.until_posted(number)
    return here.chatwoot.posted()[-1].content


def bare_id(number: int) -> str:
    return f"1999000{number:04}@c.us"


async def test_polls_products_choices_and_templates_are_shown_with_their_words() -> None:
    poll = {"pollCreationMessageV3": {"name": "Which day?", "options": [{"optionName": "Tue"}, {"optionName": "Fri"}]}}
    row = {"title": "One", "description": "first", "singleSelectReply": {"selectedRowID": "1"}}
    template = {"hydratedTemplate": {"hydratedContentText": "Your code is 1"}}
    async with office() as here:
        assert await contains(here, 1, poll) == "📊 Which day?\n- Tue\n- Fri"
        assert await contains(here, 2, {"productMessage": {"product": {"title": "Shoes"}}}) == "🛍 Shoes"
        assert await contains(here, 3, {"listResponseMessage": row}) == "One\nfirst"
        assert await contains(here, 4, {"templateMessage": template}) == "Your code is 1"
        once = {"viewOnceMessageV2": {"message": {"imageMessage": {}}}}
        assert await contains(here, 5, once) == "👁 View once: open it on the phone."
        forwarded = {"extendedTextMessage": {"text": "news", "contextInfo": {"isForwarded": True}}}
        assert await contains(here, 6, forwarded) == "↪ Forwarded:\nnews"


async def test_a_vote_is_shown_as_an_answer_to_the_poll() -> None:
    async with office() as here:
        poll = await here.comes("Which day?")
        await here.chatwoot.until_posted(1)
        vote = {"id": f"false_{ANA}_V1", "from": ANA, "fromMe": False, "selectedOptions": ["Tue"]}
        payload = {"vote": vote | {"timestamp": here.now()}, "poll": {"id": poll, "fromMe": False}}
        await here.waha_says(here.waha.webhook("poll.vote", payload, key=KEY))
        await here.chatwoot.until_posted(2)
        asked, voted = here.chatwoot.posted()
        assert voted.content == "🗳 Voted: Tue"
        assert voted.content_attributes["in_reply_to"] == asked.id


async def test_placeholders_and_notices_show_nothing_and_open_nothing() -> None:
    async with office() as here:
        conversation = await here.talk()
        here.chatwoot.agent.resolves(conversation)
        await here.chatwoot.webhooks.settled()
        for number, message in enumerate(({"albumMessage": {}}, {"pinInChatMessage": {}}, {"protocolMessage": {}})):
            payload = here.waha.incoming("", sender=ANA, bare=f"N{number}") | {
                "body": None,
                "_data": {"Message": message},
            }
            await here.waha_says(here.waha.webhook("message", payload, key=KEY))
        # Deliveries of a chat keep their order: what is shown next came after all of these.
        await here.waha_says(here.waha.webhook("message.revoked", revoked(here), key=KEY))
        await here.chatwoot.until_posted(2)
        _, note = here.chatwoot.posted()
        assert (note.private, note.conversation.id, conversation.status) == (True, conversation.id, "resolved")


def revoked(here: Office) -> dict[str, Any]:
    after = here.waha.incoming("", bare="R1")
    return {"after": after, "before": None, "revokedMessageId": "A1"}


async def test_an_answer_to_a_story_goes_to_its_author_and_nothing_is_published() -> None:
    async with office() as here:
        await here.comes("my dog", STORIES, id=STORY, participant=ANA)
        await here.chatwoot.until_posted(1)
        story = here.chatwoot.posted()[0]
        here.chatwoot.agent.replies(story, "How nice!")
        await here.until_sent(1)
        [sent] = here.waha.sent
        assert (sent["chatId"], sent["reply_to"], sent["text"]) == (ANA, STORY, "How nice!")
        refused = here.chatwoot.agent.writes(story.conversation, "To everybody")
        await here.until(lambda: refused.status == "failed")
        assert "Reply to a story" in str(here.status_of(refused)[1])
        assert len(here.waha.sent) == 1


async def test_a_message_to_a_broadcast_list_stands_in_the_chat_with_who_sent_it() -> None:
    async with office() as here:
        await here.comes("hi")
        message_id = f"false_166312345678@broadcast_BL1_{ANA}"
        await here.comes("offer", "166312345678@broadcast", id=message_id, participant=ANA)
        await here.chatwoot.until_posted(2)
        [conversation] = here.chatwoot.state.conversations
        here.chatwoot.agent.writes(conversation, "Thanks")
        await here.until_sent(1)
        assert here.sent() == ["Thanks"]


async def test_a_channel_cannot_be_answered_and_the_agent_reads_so() -> None:
    async with office() as here:
        await here.comes("news", "123@newsletter")
        await here.chatwoot.until_posted(1)
        written = here.chatwoot.agent.writes(here.chatwoot.posted()[0].conversation, "Hello")
        await here.until(lambda: written.status == "failed")
        assert "a channel can't be answered" in str(here.status_of(written)[1])
        assert here.waha.sent == []
