"""The overlay over Chatwoot's OpenAPI document takes what the server takes and refuses what it would not see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_site import Site, site
from tests.chatwoot_spec import assert_requests_valid, document


async def assert_refused(here: Site, method: str, path: str, **options: Any) -> None:
    here.fake.seen.clear()
    await here.http.request(method, path, **options)
    with pytest.raises(AssertionError):
        assert_requests_valid(here.fake)


async def test_the_overlay_takes_what_the_document_lacks() -> None:
    document()
    async with site() as here:
        talk = await here.conversation(identifier="ana")
        written = here.fake.agent.writes(talk, "hello")
        rows = [{"attribute_key": "identifier", "filter_operator": "equal_to", "values": ["x"], "query_operator": None}]
        await here.ask("POST", "contacts/filter", json={"payload": rows})
        await here.ask("POST", "contact_inboxes/filter", 404, json={"inbox_id": 7, "source_id": "x"})
        reply = {"in_reply_to": written.id, "in_reply_to_external_id": "WA"}
        await here.post(talk, source_id="WA1", echo_id="e", private=False, content_attributes=reply)
        answer = await here.http.post(
            f"conversations/{talk.id}/messages",
            data={"content": "look", "message_type": "incoming", "source_id": "WA2", "content_attributes": "{}"},
            files=[("attachments[]", ("a.png", b"x", "image/png")), ("attachments[]", ("b.png", b"x", "image/png"))],
        )
        assert answer.status_code == 200
        path = f"conversations/{talk.id}/messages/{written.id}"
        await here.ask("PATCH", path, json={"status": "failed", "external_error": "why"})
        await here.ask("POST", f"{path}/retry")
        await here.ask("GET", f"conversations/{talk.id}/messages", params={"after": 3})
        await here.ask("POST", f"conversations/{talk.id}/update_last_seen")
        assert_requests_valid(here.fake)


async def test_the_overlay_refuses_what_the_server_would_not_see() -> None:
    document()
    async with site() as here:
        talk = await here.conversation()
        messages = f"conversations/{talk.id}/messages"
        await assert_refused(here, "POST", messages, json={"content": "x", "sourceid": "misspelt"})
        await assert_refused(here, "POST", messages, json={"content": "x", "message_type": "in"})
        await assert_refused(here, "PATCH", f"{messages}/1", json={"status": "seen"})
        await assert_refused(here, "POST", "contacts", json={"name": "Ana"})
        await assert_refused(here, "POST", "contacts", json={"inbox_id": 7, "phone_number": "1999"})
        await assert_refused(here, "POST", "contact_inboxes/filter", json={"inbox_id": 7})
        row = {"attribute_key": "identifier", "filter_operator": "equal_to", "values": ["x"]}
        await assert_refused(here, "POST", "contacts/filter", json={"payload": [row]})
        await assert_refused(here, "GET", "nowhere")
        del here.http.headers["api_access_token"]
        await assert_refused(here, "POST", messages, json={"content": "x"})
