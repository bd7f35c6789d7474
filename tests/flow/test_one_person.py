"""One person under several keys: one contact, one conversation, and answers to the number that is valid now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chatwoot_office import KEY, Office, office
from tests.provider_sites import THEM, Meta, Sessions, gateway, post
from wagate.testing.chatwoot import Contact, ContactInbox, Conversation, Message

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

PHONE, LID = "5511987654321@c.us", "70000000000001@lid"
Json = dict[str, Any]


def begun(here: Office, phone: str) -> Conversation:
    """A conversation that an agent begins with a contact of their own."""
    state, chatwoot = here.chatwoot.state, here.chatwoot
    now = chatwoot.state.now()
    contact = Contact(
        id=state.next_id("contacts", first=500),
        account=chatwoot.account,
        name="Zoe",
        phone_number=phone,
        created_at=now,
    )
    place = ContactInbox(
        id=state.next_id("contact_inboxes", first=500),
        contact=contact,
        inbox=chatwoot.inbox,
        source_id="0b5c4ac0-2f1c-4b6c-9d0c-1a2b3c4d5e6f",
        created_at=now,
    )
    found = Conversation(
        id=state.next_id("conversations", first=90),
        account=chatwoot.account,
        contact_inbox=place,
        created_at=now,
        last_activity_at=now,
    )
    state.contacts.append(contact)
    state.contact_inboxes.append(place)
    state.conversations.append(found)
    return found


async def posted(here: Office, count: int) -> list[Message]:
    await here.chatwoot.until_posted(count)
    await here.chatwoot.webhooks.settled()
    return here.chatwoot.posted()


async def recorded(here: Office) -> bool:
    """Whether the gateway knows its message by WhatsApp's id."""
    [row] = (await here.gateway.ask("GET", "/messages"))["data"]
    return bool(row["message_id"])


async def test_who_is_known_by_number_and_lid_has_one_conversation_and_is_answered_at_the_number() -> None:
    async with office() as here:
        told = {"Info": {"SenderAlt": LID, "PushName": "Ana"}}
        await here.comes("by number", PHONE, _data=told)
        await here.comes("by LID alone", LID)
        first, second = await posted(here, 2)
        assert first.conversation is second.conversation
        here.chatwoot.agent.writes(first.conversation, "Hello")
        await here.until_sent(1)
        assert here.waha.sent[0]["chatId"] == PHONE


async def test_an_agent_who_wrote_first_gets_the_answer_that_comes_under_a_lid() -> None:
    async with office() as here:
        here.waha.lids[LID] = PHONE
        conversation = begun(here, "+5511987654321")
        here.chatwoot.agent.writes(conversation, "About your order")
        await here.until_sent(1)
        await here.comes("Who is it?", LID)
        await here.comes("Hello?", LID)
        assert {each.conversation.id for each in await posted(here, 2)} == {conversation.id}
        asked = [seen for seen in here.waha.seen if "/lids/" in seen.path]
        assert len(asked) == 1
        [thread] = (await here.gateway.ask("GET", "/api/conversations"))["data"]
        assert (thread["chat"], thread["messages"]) == (PHONE, 3)
        assert set(thread["contact"]["keys"]) == {PHONE, LID}


async def test_a_lid_that_is_told_late_joins_what_the_agent_began() -> None:
    async with office() as here:
        conversation = begun(here, "+5511987654321")
        here.chatwoot.agent.writes(conversation, "About your order")
        await here.until_sent(1)
        await here.comes("Who is it?", LID)
        [early] = await posted(here, 1)
        await here.comes("It is Zoe", LID, _data={"Info": {"SenderAlt": PHONE}})
        late = (await posted(here, 2))[-1]
        assert early.conversation.id != conversation.id
        assert late.conversation.id == conversation.id
        assert [each.name for each in here.chatwoot.state.contacts] == ["Zoe"]


async def test_the_echo_under_a_lid_tells_whose_it_is() -> None:
    """Nobody knows the LID, but the message that we sent to the number shows up in its chat."""
    async with office() as here:
        conversation = begun(here, "+5511987654321")
        here.chatwoot.agent.writes(conversation, "About your order")
        await here.until_sent(1)
        echo = here.waha.echo(here.waha.sent[0], lid=LID)
        await here.waha_says(here.waha.webhook("message.any", echo, key=KEY))
        await here.comes("Who is it?", LID)
        [answer] = await posted(here, 1)
        assert answer.conversation.id == conversation.id
        assert answer.message_type == "incoming"


async def test_a_vote_under_a_lid_is_from_whom_the_poll_went_to_from_the_phone() -> None:
    poll, vote = "3EB0AAAAAAAAAAAAAAAA", "3EB0BBBBBBBBBBBBBBBB"
    async with office() as here:
        at = {"timestamp": here.now(), "fromMe": False}
        own = {"id": f"true_{PHONE}_{poll}", "fromMe": True, "from": "15550000001@c.us", "to": PHONE, "source": "app"}
        asked = here.waha.incoming("When?", sender=PHONE) | {"timestamp": here.now()} | own
        await here.waha_says(here.waha.webhook("message.any", asked, key=KEY))
        found = {"id": f"false_{LID}_{vote}", "from": LID, "to": "15550000001@c.us", "selectedOptions": ["Mon"]} | at
        about = {"id": f"true_{LID}_{poll}", "from": "15550000001@c.us", "to": LID, "fromMe": True}
        await here.waha_says(here.waha.webhook("poll.vote", {"vote": found, "poll": about}, key=KEY))
        first, second = await posted(here, 2)
        assert first.conversation is second.conversation
        assert second.content_attributes["in_reply_to"] == first.id


@pytest.mark.parametrize("source", ["5511987654321@s.whatsapp.net", "+5511987654321", "whatsapp:+5511987654321"])
async def test_the_answer_goes_to_the_conversation_that_another_connector_began(source: str) -> None:
    """Its contact has neither number nor identifier: only the source_id says who it is."""
    async with office() as here:
        conversation = begun(here, "+5511987654321")
        conversation.contact.phone_number, conversation.contact_inbox.source_id = None, source
        here.chatwoot.agent.writes(conversation, "About your order")
        await here.until_sent(1)
        assert here.waha.sent[0]["chatId"] == PHONE
        for text in ("Yes?", "And?"):
            await here.comes(text, PHONE)
        assert [each.conversation.id for each in await posted(here, 2)] == [conversation.id] * 2


@pytest.mark.parametrize("kind", ["answer", "reaction", "edit"])
async def test_what_names_our_message_under_a_lid_is_in_the_chat_with_whom_we_sent_it_to(kind: str) -> None:
    """Nobody knows the LID; who answers our message to a number, or reacts to it, is who has that number."""
    async with office() as here:
        conversation = begun(here, "+5511987654321")
        here.chatwoot.agent.writes(conversation, "About your order")
        await here.until_sent(1)
        await here.gateway.until(lambda: recorded(here))
        bare = here.waha.sent[0]["_id"].split("_")[2]
        if kind == "answer":
            await here.comes("Yes", LID, replyTo={"id": bare, "body": "About your order"})
        else:
            own = f"true_{LID}_{bare}"
            theirs = {"id": f"false_{LID}_3EB0R", "from": LID, "fromMe": False, "timestamp": int(here.now())}
            ours = {"id": own, "from": "15550000001@c.us", "to": LID, "fromMe": True, "timestamp": int(here.now())}
            payload = {
                "reaction": theirs | {"reaction": {"text": "👍", "messageId": own}},
                "edit": ours | {"editedMessageId": bare, "body": "About both orders"},
            }[kind]
            event = "message.reaction" if kind == "reaction" else "message.edited"
            await here.waha_says(here.waha.webhook(event, payload, key=KEY))
        [shown] = await posted(here, 1)
        assert (shown.conversation.id, len(here.chatwoot.state.conversations)) == (conversation.id, 1)
        await here.comes("And now?", LID)
        assert (await posted(here, 2))[-1].conversation.id == conversation.id
        [thread] = (await here.gateway.ask("GET", "/api/conversations"))["data"]
        assert thread["chat"] == PHONE


@pytest.mark.parametrize(
    ("one", "other"),
    [("5511987654321", "551187654321"), ("5491123456789", "541123456789"), ("5215512345678", "525512345678")],
    ids=["Brazil", "Argentina", "Mexico"],
)
async def test_numbers_with_and_without_the_extra_digit_are_one_thread(one: str, other: str) -> None:
    site = Meta()
    async with gateway(site) as found:
        for number in (one, other):
            body = json.dumps(site.fake.incoming(site.fake.text(f"from {number}", sender=number))).encode()
            await post(found, body, site.proof(body))
        [thread] = (await found.ask("GET", "/api/conversations"))["data"]
        assert (thread["chat"], thread["messages"]) == (f"{other}@c.us", 2)
        assert thread["contact"]["phone"] == other
        said = (await found.ask("GET", f"/api/conversations/+{one}/messages"))["data"]
        assert [each["content"] for each in said] == [f"from {other}", f"from {one}"]


async def test_a_changed_number_is_the_same_person_at_the_new_one() -> None:
    new = "5511977776666"
    site = Meta()
    async with gateway(site) as found:
        changed = site.fake.text("", sender=THEM) | {
            "type": "system",
            "system": {"type": "user_changed_number", "body": "changed", "wa_id": new},
        }
        for message in (site.fake.text("old", sender=THEM), changed, site.fake.text("new", sender=new)):
            body = json.dumps(site.fake.incoming(message)).encode()
            await post(found, body, site.proof(body))
        [thread] = (await found.ask("GET", "/api/conversations"))["data"]
        assert (thread["chat"], thread["contact"]["phone"], thread["messages"]) == (f"{new}@c.us", new, 3)


async def test_a_session_engine_tells_of_a_changed_number() -> None:
    site = Sessions()
    old, new = f"{THEM}@c.us", "5511977776666@c.us"
    async with gateway(site) as found:
        for body in (
            site.text("old"),
            site.fake.webhook("contact_changed", {"oldId": old, "newId": new, "isContact": True, "message": {}}),
        ):
            await post(found, body, site.proof(body))
        [thread] = (await found.ask("GET", "/api/conversations"))["data"]
        assert (thread["contact"]["phone"], set(thread["contact"]["keys"])) == (new.partition("@")[0], {old, new})


async def test_our_own_lid_joins_nobody() -> None:
    """Our own messages name our own LID: whom they are to are still two people."""
    async with office() as here:
        for number in ("15550002222", "15550003333"):
            chat = f"{number}@c.us"
            echo = here.waha.echo({"chatId": chat, "_id": f"true_{chat}_3EB0{number}0000", "text": "x"})
            await here.waha_says(here.waha.webhook("message.any", echo, key=KEY))
        threads: list[Json] = (await here.gateway.ask("GET", "/api/conversations"))["data"]
        assert sorted(each["chat"] for each in threads) == ["15550002222@c.us", "15550003333@c.us"]
