"""The fake Chatwoot refuses and shows what the real one does (its source, v4.15.1)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_site import SOURCE, site
from wagate.testing.chatwoot.messages import Upload


async def test_an_error_that_is_none_is_left_out() -> None:
    async with site() as here:
        written = here.fake.agent.writes(await here.conversation(), "hello")
        path = f"conversations/{written.conversation.id}/messages/{written.id}"
        for given in ({"status": "delivered"}, {"status": "failed", "external_error": "why"}, {"status": "read"}):
            await here.ask("PATCH", path, json=given)
        await here.fake.webhooks.settled()
        told = [body["content_attributes"] for body in here.receiver.came("message_updated")]
        assert sorted(told, key=len) == [{}, {}, {"external_error": "why"}]


async def test_activities_stand_in_lists_and_are_told_by_no_webhook() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.agent.writes(talk, "hello")
        here.fake.agent.resolves(talk)
        rows = (await here.ask("GET", f"conversations/{talk.id}/messages"))["payload"]
        assert [row["message_type"] for row in rows] == [1, 2]
        shown = await here.ask("GET", f"conversations/{talk.id}")
        assert [shown["messages"][0]["id"], shown["last_non_activity_message"]["id"]] == [rows[1]["id"], rows[0]["id"]]
        await here.fake.webhooks.settled()
        assert [body["content"] for body in here.receiver.came("message_created")] == ["hello"]


async def test_a_private_note_is_the_last_message_of_a_list() -> None:
    async with site() as here:
        talk = await here.conversation()
        note = here.fake.agent.notes(talk, "careful")
        assert (await here.ask("GET", f"conversations/{talk.id}"))["messages"][0]["id"] == note.id


@pytest.mark.parametrize("field", ["name", "identifier"])
async def test_a_column_takes_255_characters(field: str) -> None:
    async with site() as here:
        await here.contact(**{field: "x" * 255}, source_id="a", phone_number=None)
        refused = await here.contact(422, **{field: "y" * 256}, source_id="b", phone_number=None)
        assert refused["attributes"] == [field]


async def test_attributes_have_limits() -> None:
    async with site() as here:
        talk = await here.conversation()
        path = f"conversations/{talk.id}/custom_attributes"
        for value in ("x" * 1501, 10_000_000_000):
            await here.ask("POST", path, 422, json={"custom_attributes": {"a": value}})
            await here.contact(422, source_id="c", phone_number=None, additional_attributes={"a": value})
        await here.ask("POST", path, json={"custom_attributes": {"a": "x" * 1500}})


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("image/heic", "file"), ("image/tiff", "file"), ("image/svg+xml", "file"), ("video/3gpp", "file"),
     ("image/png", "image"), ("video/mp4", "video"), ("audio/mpeg", "audio"), ("audio/ogg; codecs=opus", "audio")],
)  # fmt: skip
async def test_only_what_the_screen_can_show_is_more_than_a_file(kind: str, shown: str) -> None:
    async with site() as here:
        upload = Upload(filename="a", content_type=kind, content=b"x")
        [file] = here.fake.agent.writes(await here.conversation(), None, upload).attachments
        assert file.file_type == shown


async def test_an_agent_outside_the_inbox_is_refused() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.inbox.members = []
        for path in (f"conversations/{talk.id}", f"conversations/{talk.id}/messages", "inboxes/7"):
            refused = await here.ask("GET", path, 401)
            assert refused == {"error": "You are not authorized to do this action"}
        assert (await here.ask("GET", "inboxes"))["payload"] == []
        assert (await here.ask("GET", "conversations?status=all"))["data"]["payload"] == []
        here.fake.inbox.members = [here.fake.user.id]
        await here.ask("GET", f"conversations/{talk.id}")


async def test_in_a_race_an_identifier_is_refused_and_a_number_is_there_twice() -> None:
    async with site() as here:
        here.fake.state.racing = [{"identifier": "ana", "name": "other"}]
        await here.contact(500, identifier="ana", phone_number=None)
        here.fake.state.racing = [{"phone_number": "+19990000007", "name": "other"}]
        await here.contact(source_id="b", phone_number="+19990000007")
        assert [each.phone_number for each in here.fake.state.contacts] == [None, "+19990000007", "+19990000007"]


async def test_an_agent_who_opens_a_conversation_takes_it() -> None:
    async with site() as here:
        talk = await here.conversation()
        await here.ask("POST", f"conversations/{talk.id}/toggle_status", json={"status": "open"})
        assert talk.assignee is here.fake.user


async def test_the_public_api_does_not_update_a_contact_that_is_there() -> None:
    async with site() as here:
        await here.conversation(name="Ana")
        url = f"{here.fake.url}/public/api/v1/inboxes/{here.fake.inbox.identifier}/contacts"
        answer = await here.http.post(url, json={"source_id": SOURCE, "name": "Another"})
        assert answer.json()["name"] == here.fake.state.contacts[0].name == "Ana"


async def test_an_answer_is_possible_while_the_inboxs_window_is_open() -> None:
    async with site() as here:
        talk, now = await here.conversation(), here.fake.state.now()
        assert (await here.ask("GET", f"conversations/{talk.id}"))["can_reply"] is True
        here.fake.inbox.additional_attributes["agent_reply_time_window"] = 24
        assert (await here.ask("GET", f"conversations/{talk.id}"))["can_reply"] is False
        await here.post(talk)
        assert (await here.ask("GET", f"conversations/{talk.id}"))["can_reply"] is True
        here.fake.state.now = lambda: now + 25 * 3600
        assert (await here.ask("GET", f"conversations/{talk.id}"))["can_reply"] is False


async def test_the_inbox_greets_once_and_says_once_a_day_that_nobody_is_there() -> None:
    async with site() as here:
        here.fake.inbox.greeting = "Welcome"
        talk = await here.conversation()
        await here.post(talk)
        here.fake.inbox.out_of_office = "Back on Monday"
        other = await here.conversation(source_id="b", phone_number=None)
        for _ in range(2):
            await here.post(other)
            await here.post(talk)
        await here.fake.webhooks.settled()
        came: list[Any] = [body for body in here.receiver.came("message_created") if body["message_type"] == "template"]
        assert sorted(body["content"] for body in came) == ["Back on Monday", "Welcome"]
        assert {body["sender"] for body in came} == {None}


async def test_a_newer_retry_is_one_update_that_keeps_the_quote_and_only_for_what_failed() -> None:
    async with site() as here:
        first = here.fake.agent.writes(await here.conversation(), "one")
        reply = here.fake.agent.replies(first, "two")
        here.fake.agent.retries(reply, newer=True)
        path = f"conversations/{reply.conversation.id}/messages/{reply.id}"
        await here.ask("PATCH", path, json={"status": "failed", "external_error": "why"})
        await here.fake.webhooks.settled()  # two webhooks at once may come in either order
        here.fake.agent.retries(reply, newer=True)
        await here.fake.webhooks.settled()
        told = [body["content_attributes"] for body in here.receiver.came("message_updated")]
        assert [sorted(each) for each in told] == [
            ["external_error", "in_reply_to", "in_reply_to_external_id"],
            ["in_reply_to", "in_reply_to_external_id"],
        ]
