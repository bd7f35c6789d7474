"""Ids of our own messages: however an echo or an ack writes them, it is one message, and its ticks go to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_office import KEY, office
from tests.provider_sites import KEY as SECRET
from tests.provider_sites import Sessions, gateway, post
from wagate.testing.providers.session import OURS

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

GROUP, WRITER = "120363000000000001@g.us", "19990000001@c.us"
LID = "70000000000001@lid"
Json = dict[str, Any]


def to(chat: str) -> Json:
    return {"to": chat, "message": {"text": "Hello"}, "account": "main"}


async def test_in_a_group_echo_and_acks_with_a_participant_are_the_agents_message() -> None:
    async with office() as here:
        here.waha.engine = "WEBJS"
        await here.comes("hello", GROUP, id=f"false_{GROUP}_3EB0AAAA_{WRITER}", participant=WRITER)
        await here.chatwoot.until_posted(1)
        conversation = here.chatwoot.posted()[0].conversation
        answer = here.chatwoot.agent.writes(conversation, "to all")
        await here.until_sent(1)
        [sent] = here.waha.sent
        await here.waha_says(here.waha.webhook("message.any", here.waha.echo(sent), key=KEY))
        for reader in (WRITER, "19990000002@c.us"):
            payload = here.waha.ack(sent, 3, reader=reader)
            await here.waha_says(here.waha.webhook("message.ack.group", payload, key=KEY))
        await here.until(lambda: answer.status == "delivered")
        await here.waha_says(here.waha.webhook("message.ack", here.waha.ack(sent, 3), key=KEY))
        await here.until(lambda: answer.status == "read")
        assert [each.content for each in here.chatwoot.state.messages if each.message_type == "outgoing"] == ["to all"]
        [row] = (await here.gateway.ask("GET", "/messages"))["data"]
        assert row["status"] == "read"
        readers = (await here.gateway.ask("GET", f"/messages/{row['id']}/readers"))["data"]
        assert [(each["participant"], each["status"]) for each in readers] == [
            (WRITER, "read"),
            ("19990000002@c.us", "read"),
        ]


async def test_a_group_of_which_the_members_are_known_has_read_when_the_last_one_has() -> None:
    async with office() as here:
        people = [{"id": each, "role": "participant"} for each in ("15550000001@c.us", WRITER, "19990000002@c.us")]
        group = {"group": {"id": GROUP, "subject": "Team", "participants": people}, "timestamp": here.now()}
        await here.waha_says(here.waha.webhook("group.v2.join", group, key=KEY))
        await here.gateway.ask("POST", "/messages/send", json=to(GROUP))
        [sent] = here.waha.sent
        for reader, expected in ((WRITER, "delivered"), ("19990000002@c.us", "read")):
            payload = here.waha.ack(sent, 3, reader=reader)
            await here.waha_says(here.waha.webhook("message.ack.group", payload, key=KEY))
            assert [row["status"] for row in (await here.gateway.ask("GET", "/messages"))["data"]] == [expected]


async def test_acks_under_a_lid_are_our_messages_to_the_number() -> None:
    site = Sessions()
    async with gateway(site) as found:
        answer = await found.ask("POST", "/messages/send", json=to("+15550002222"))
        [sent] = site.fake.sent
        for body in (site.fake.echo(sent, lid=LID), site.fake.ack(sent, 2, lid=LID)):
            await post(found, body, site.proof(body))
        row = await found.ask("GET", f"/messages/{answer['id']}")
        assert row["status"] == "delivered"
        [thread] = (await found.ask("GET", "/api/conversations"))["data"]
        assert (thread["chat"], thread["messages"]) == ("15550002222@c.us", 1)


async def test_an_ack_that_is_shortened_to_the_bare_id_names_the_message_as_it_was_sent() -> None:
    async with office(delivery={"allow_networks": ["203.0.113.0/24", "127.0.0.0/8"]}) as here:
        hook = await here.gateway.register("https://203.0.113.9/hook", events=["message.ack"])
        answer = await here.gateway.ask("POST", "/messages/send", json=to(WRITER))
        bare = answer["message_id"].split("_")[2]
        await here.ack(bare, 3, chat=WRITER)
        [row] = await here.gateway.events(hook)
        assert row["message_id"] == answer["message_id"]
        assert (await here.gateway.ask("GET", f"/messages/{answer['id']}"))["status"] == "read"


@pytest.mark.parametrize("message_id", ["3EB0000000000000000AAA", "7"])
async def test_what_a_session_tells_by_bare_ids_alone_names_the_message_as_it_was_stored(message_id: str) -> None:
    """Acks, reactions, edits, revokes and quotes."""
    site, chat = Sessions(), "15550002222@c.us"
    async with gateway(site, delivery={"allow_networks": ["203.0.113.0/24", "127.0.0.0/8"]}) as found:
        hook = await found.register("https://203.0.113.9/hook", events=["*", "message.any"])
        whole = f"false_{chat}_{message_id}"
        message = {"from": chat, "to": OURS, "type": "chat", "timestamp": 1795225481}
        told = [
            ("message", {"message": message | {"id": whole, "body": "hi"}}),
            ("message_ack", {"message": message | {"id": message_id}, "ack": 3}),
            (
                "message_reaction",
                {"reaction": {"id": "r1", "msgId": {"id": message_id, "remote": chat}, "reaction": "👍"}},
            ),
            ("message_edit", {"message": message | {"id": message_id}, "newBody": "ho", "prevBody": "hi"}),
            ("message_revoke_everyone", {"message": message | {"id": message_id}}),
            ("message", {"message": message | {"id": "8", "body": "an answer", "quotedStanzaID": message_id}}),
            ("message_ack", {"message": {**message, "from": "15550003333@c.us", "id": message_id}, "ack": 3}),
        ]
        for event, data in told:
            body = site.fake.webhook(event, data)
            await post(found, body, site.proof(body))
        await found.ask("GET", "/messages")
        rows = [(each["event"], each["message_id"]) for each in await found.events(hook)]
        assert rows[0] == ("message.any", whole)
        assert {named for event, named in rows[1:5]} == {whole}
        [quoting] = [
            each
            for each in (await found.ask("GET", f"/api/conversations/{chat}/messages"))["data"]
            if each["content"] == "an answer"
        ]
        assert quoting["reply_to"] == whole
        [elsewhere] = rows[6:]
        assert elsewhere[1] == message_id, "in another chat it is another message"


async def test_a_quote_by_stanza_id_names_the_message_as_it_was_stored() -> None:
    site = Sessions()
    async with gateway(site) as found:
        answer = await found.ask("POST", "/messages/send", json=to("+15550002222"))
        [sent] = site.fake.sent
        raw = {"quotedStanzaID": sent["message"]["id"]["id"], "quotedParticipant": {"_serialized": OURS}}
        body = site._message(body="yes", hasQuotedMsg=True, _data=raw)
        await post(found, body, site.proof(body))
        newest = (await found.ask("GET", "/api/conversations/+15550002222/messages"))["data"][0]
        assert newest["reply_to"] == answer["message_id"] == sent["_id"]


async def test_an_id_that_is_unique_in_its_chat_only_is_no_duplicate_in_another() -> None:
    site = Sessions()
    async with gateway(site) as found:
        # The last is the one before without Brazil's ninth digit: the same person, so the same message.
        for number in ("15550002222", "15550003333", "15550002222", "5511987654321", "551187654321"):
            chat = f"{number}@c.us"
            message = {"id": "1", "type": "chat", "from": chat, "to": OURS, "body": number, "timestamp": 1795225481}
            body = site.fake.webhook("message", {"message": message})
            await post(found, body, {**site.proof(body), "X-Webhook-Secret": SECRET})
        threads = (await found.ask("GET", "/api/conversations"))["data"]
        assert sorted((each["chat"], each["messages"]) for each in threads) == [
            ("15550002222@c.us", 1),
            ("15550003333@c.us", 1),
            ("5511987654321@c.us", 1),
        ]
