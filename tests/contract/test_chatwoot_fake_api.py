"""The fake Chatwoot's API answers and refuses as the real one does."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import trio

from tests.chatwoot_site import SOURCE, site
from wagate.testing.chatwoot import Contact, FakeChatwoot, Upload, faults
from wagate.testing.chatwoot.state import Account

OTHER = "18880000000@c.us"


async def test_contacts_are_made_found_changed_and_merged() -> None:
    async with site() as here:
        made = await here.contact(identifier="ana")
        contact = made["payload"]["contact"]
        assert made["payload"]["contact_inbox"]["source_id"] == SOURCE
        found = await here.ask("POST", "contact_inboxes/filter", json={"inbox_id": 7, "source_id": SOURCE})
        assert found["id"] == contact["id"]
        assert [each["source_id"] for each in found["contact_inboxes"]] == [SOURCE]
        missing = await here.ask("POST", "contact_inboxes/filter", 404, json={"inbox_id": 7, "source_id": "x"})
        assert missing == ""
        rows = [
            {"attribute_key": "identifier", "filter_operator": "equal_to", "values": ["x"], "query_operator": "OR"},
            {
                "attribute_key": "phone_number",
                "filter_operator": "equal_to",
                "values": ["+19990000000"],
                "query_operator": None,
            },
        ]
        assert (await here.ask("POST", "contacts/filter", json={"payload": rows}))["payload"][0]["id"] == contact["id"]
        assert (await here.ask("GET", "contacts/search", params={"q": "an"}))["meta"]["has_more"] is False
        body = {"name": "Ana Souza", "custom_attributes": {"a": 1}}
        changed = await here.ask("PUT", f"contacts/{contact['id']}", json=body)
        changed = await here.ask("PATCH", f"contacts/{contact['id']}", json={"custom_attributes": {"b": 2}})
        assert changed["payload"]["custom_attributes"] == {"a": 1, "b": 2}
        second = await here.contact(source_id=OTHER, phone_number=None, name="LID")
        ids = {"base_contact_id": contact["id"], "mergee_contact_id": second["payload"]["contact"]["id"]}
        merged = await here.ask("POST", "actions/contact_merge", json=ids)
        assert {each["source_id"] for each in merged["contact_inboxes"]} == {SOURCE, OTHER}
        await here.ask("GET", f"contacts/{ids['mergee_contact_id']}", 404)


async def test_a_phone_number_that_is_taken_is_422_and_a_name_in_the_inbox_500() -> None:
    async with site() as here:
        await here.contact()
        taken = await here.contact(422, source_id="other")
        assert taken == {"message": "Phone number has already been taken", "attributes": ["phone_number"]}
        await here.contact(500, phone_number="+18880000000")
        bad = await here.contact(422, source_id="other", phone_number="1999")
        assert bad["message"] == "Phone number should be in e164 format"
        other = (await here.contact(source_id=OTHER, phone_number="+18880000000"))["payload"]["contact"]["id"]
        source = {"inbox_id": 7, "source_id": SOURCE}
        await here.ask("POST", f"contacts/{other}/contact_inboxes", 500, json=source)
        conversation = await here.ask("POST", "conversations", 422, json=source | {"contact_id": other})
        assert conversation == {"error": "source_id should be unique"}
        assert len(here.fake.state.contacts) == 2


async def test_of_two_who_make_the_same_contact_one_wins() -> None:
    async with site() as here:
        fake = here.fake

        def rival() -> None:
            fake.state.contacts.append(Contact(id=1, account=fake.account, phone_number="+19990000000"))

        fake.meanwhile.append(("/contacts", rival))
        assert (await here.contact(422))["attributes"] == ["phone_number"]


async def test_a_contact_without_a_name_in_the_inbox_gets_another_each_time() -> None:
    async with site() as here:
        made = (await here.contact())["payload"]["contact"]["id"]
        for _ in range(2):
            await here.ask("POST", "conversations", json={"inbox_id": 7, "contact_id": made})
        assert len(here.fake.state.contact_inboxes) == 3


async def test_messages_are_listed_as_the_finder_does() -> None:
    async with site() as here:
        talk = await here.conversation()
        ids = [(await here.post(talk, content=str(number)))["id"] for number in range(120)]
        path = f"conversations/{talk.id}/messages"

        async def listed(**query: Any) -> list[int]:
            return [each["id"] for each in (await here.ask("GET", path, params=query))["payload"]]

        assert await listed() == ids[-20:]
        assert await listed(after=ids[4]) == ids[5:105]
        assert await listed(before=ids[30]) == ids[10:30]
        assert await listed(after=ids[4], before=ids[119]) == ids[4:119]
        shown = (await here.ask("GET", path))["payload"][0]
        assert (shown["message_type"], shown["status"], shown["conversation_id"]) == (0, "sent", talk.id)


async def test_files_come_by_multipart_and_leave_by_a_redirect() -> None:
    async with site() as here:
        talk = await here.conversation()
        big = b"x" * 3_000_000
        answer = await here.http.post(
            f"conversations/{talk.id}/messages",
            data={
                "content": "look",
                "message_type": "incoming",
                "source_id": "WA1",
                "content_attributes": '{"a": 1}',
                "is_voice_message": "true",
            },
            files=[
                ("attachments[]", ("a.png", b"\x89PNG", "image/png")),
                ("attachments[]", ("v.ogg", big, "audio/ogg")),
            ],
        )
        assert answer.status_code == 200
        image, voice = here.fake.state.messages[-1].attachments
        assert [each["file_type"] for each in answer.json()["attachments"]] == ["image", "audio"]
        assert answer.json()["content_attributes"] == {"a": 1}
        assert (image.voice, voice.voice, voice.size) == (False, True, len(big))
        url = answer.json()["attachments"][0]["data_url"]
        async with httpx2.AsyncClient(trust_env=False) as anyone:
            first = await anyone.get(url)
            assert first.status_code == 302
            assert (await anyone.get(first.headers["location"])).content == b"\x89PNG"


async def test_statuses_take_every_turn_but_read_to_delivered() -> None:
    async with site() as here:
        talk = await here.conversation()
        written = here.fake.agent.writes(talk, "hello")
        path = f"conversations/{talk.id}/messages/{written.id}"
        for given, wanted in (
            ("failed", "failed"),
            ("delivered", "delivered"),
            ("read", "read"),
            ("delivered", "read"),
            ("sent", "sent"),
            ("nonsense", "sent"),
        ):
            answer = await here.ask("PATCH", path, json={"status": given, "external_error": "why"})
            assert answer["status"] == wanted
            assert answer["content_attributes"] == ({"external_error": "why"} if wanted == "failed" else {})
        here.fake.inbox.channel = "Channel::WebWidget"
        assert "API inboxes" in (await here.ask("PATCH", path, 403, json={"status": "read"}))["error"]


async def test_retry_is_two_updates_and_both_may_show_the_later_one() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.state.null_errors = True
        written = here.fake.agent.writes(talk, "hello")
        path = f"conversations/{talk.id}/messages/{written.id}"
        await here.ask("PATCH", path, json={"status": "failed", "external_error": "why"})
        await here.ask("POST", f"{path}/retry")
        await here.fake.webhooks.settled()
        updates = [
            each.body["content_attributes"] for each in here.fake.webhooks.sent if each.event == "message_updated"
        ]
        assert {"external_error": None} in updates
        assert {} in updates
        assert written.status == "sent"


async def test_what_comes_in_opens_a_resolved_conversation_and_a_bot_makes_it_pending() -> None:
    async with site() as here:
        talk = await here.conversation()
        for bot, wanted in ((False, "open"), (True, "pending")):
            here.fake.inbox.agent_bot = bot
            here.fake.agent.resolves(talk)
            await here.post(talk)
            assert talk.status == wanted
        talk.muted = True
        here.fake.agent.resolves(talk)
        await here.post(talk)
        assert talk.status == "resolved"
        await here.fake.webhooks.settled()
        told = [body["status"] for body in here.receiver.came("conversation_status_changed")]
        assert sorted(told) == ["open", "pending", "resolved", "resolved", "resolved"]


async def test_a_conversation_takes_two_hundred_messages_a_minute() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.state.flood = 3
        moment = 1e9
        here.fake.state.now = lambda: moment
        for _ in range(3):
            await here.post(talk)
        assert "Too many messages" in (await here.post(talk, 422))["error"]
        moment += 61
        await here.post(talk)


async def test_searching_is_throttled_and_so_is_an_address() -> None:
    async with site() as here:
        here.fake.state.now = lambda: 1e9
        here.fake.limits.search = 2
        for _ in range(2):
            await here.ask("GET", "contacts/search", params={"q": "a"})
        answer = await here.http.get("contacts/search", params={"q": "a"})
        assert (answer.status_code, answer.text) == (429, "Retry later\n")
        assert int(answer.headers["retry-after"]) > 0
        here.fake.limits.ip = 2
        statuses = [(await here.http.get("agents")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]


async def test_tokens_are_checked_as_chatwoot_does() -> None:
    async with site() as here:
        fake = here.fake

        async def said(token: str, path: str = "contacts") -> Any:
            here.http.headers["api_access_token"] = token
            answer = await here.http.get(path)
            return answer.json()["error"] if answer.status_code == 401 else answer.status_code

        assert await said("nonsense") == "Invalid Access Token"
        assert await said(fake.bot.token) == "Access to this endpoint is not authorized for bots"
        stranger = fake.add_user("Eve", "agent", Account(id=2, name="Other"))
        assert await said(stranger.token) == "You are not authorized to access this account"
        assert await said(fake.user.token, "webhooks") == "You are not authorized to do this action"
        assert await said(fake.user.token) == 200
        fake.drops_underscores = True
        assert await said(fake.user.token) == "Invalid Access Token"
        fake.drops_underscores, fake.account.suspended = False, True
        assert await said(fake.user.token) == "Account is suspended"


async def test_only_an_administrator_sees_the_secret() -> None:
    async with site() as here:
        assert "secret" not in await here.ask("GET", "inboxes/7")
        here.http.headers["api_access_token"] = here.fake.admin.token
        assert (await here.ask("GET", "inboxes/7"))["secret"] == here.fake.inbox.secret
        channel = {"type": "api", "webhook_url": "https://gateway.example/x"}
        made = await here.ask("POST", "inboxes", json={"name": "New", "channel": channel})
        assert made["webhook_url"] == channel["webhook_url"]
        assert (await here.ask("POST", f"inboxes/{made['id']}/reset_secret"))["secret"] != made["secret"]


async def lost(fake: FakeChatwoot, send: Any) -> str:
    """What the client sees of a request without an answer."""
    with pytest.raises((httpx2.TransportError, httpx2.TimeoutException)) as found:
        await send()
    return type(found.value).__name__


async def test_requests_fail_in_every_way_with_and_without_having_been_done() -> None:
    async with site() as here:
        talk = await here.conversation()
        fake, done = here.fake, here.fake.state.messages
        fake.fail(faults.done_then_500(), faults.refused_500(), faults.bad_gateway(), faults.too_many_messages())
        for status, count in ((500, 1), (500, 1), (502, 1), (422, 1)):
            await here.post(talk, status)
            assert len(done) == count
        fake.fail(faults.gone(), *(faults.unauthorized(why) for why in faults.UNAUTHORIZED), faults.throttled(7))
        for status in (404, 401, 401, 401, 401, 401, 429):
            await here.post(talk, status)
        assert len(done) == 1
        fake.fail(faults.done_then_reset(), faults.reset(), faults.late(300))
        for count in (2, 2):
            assert "Read" in await lost(fake, lambda: here.post(talk))
            assert len(done) == count
        here.http.timeout = httpx2.Timeout(60, read=0.1)
        assert await lost(fake, lambda: here.post(talk)) == "ReadTimeout"
        with trio.fail_after(60):
            while len(done) < 3:
                await trio.sleep(0.01)
        paths = [seen.path for seen in fake.seen]
        assert paths[2:] == [f"/api/v1/accounts/1/conversations/{talk.id}/messages"] * 14


async def test_the_public_api_upserts_and_shows_the_contact_typing() -> None:
    async with site() as here:
        base = f"{here.fake.url}/public/api/v1/inboxes/{here.fake.inbox.identifier}/contacts"
        ids = set()
        for _ in range(2):
            body = {"source_id": SOURCE, "phone_number": "+19990000000"}
            ids.add((await here.http.post(base, json=body)).json()["id"])
        assert len(ids) == 1
        talk = (await here.http.post(f"{base}/{SOURCE}/conversations", json={})).json()["id"]
        await here.http.post(f"{base}/{SOURCE}/conversations/{talk}/toggle_typing", json={"typing_status": "on"})
        made = await here.http.post(f"{base}/{SOURCE}/conversations/{talk}/messages", json={"content": "oi"})
        assert made.json()["message_type"] == 0
        row = here.fake.state.conversations[0]
        written = here.fake.agent.writes(row, "hello", Upload(filename="a", content_type="text/plain", content=b"a"))
        await here.http.post(f"{base}/{SOURCE}/conversations/{talk}/update_last_seen")
        assert written.status == "read"
        await here.fake.webhooks.settled()
        assert "type" not in here.receiver.came("conversation_typing_on")[0]["user"]


async def test_a_deleted_conversation_is_404() -> None:
    async with site() as here:
        talk = await here.conversation()
        here.fake.agent.deletes_conversation(talk)
        assert (await here.post(talk, 404))["error"] == "Resource could not be found"
