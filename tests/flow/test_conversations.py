"""Threads, contacts and the archive over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site

INGEST = "/routes/api/v1/conversations/ingest"
OURS = "+1 987 654 321"


async def ingest(site: ApiSite, token: str = ACME, **fields: Any) -> dict[str, Any]:
    body = {"from": "+1234567890", "to": "+1987654321", "message": {"text": "hello"}} | fields
    async with site.as_(token) as http:
        answer = await http.post(INGEST, json=body)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_comes_in_by_any_door_is_archived_in_its_thread(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        posted = await http.post(
            "/webhook/inbound",
            json={"from": "+1234567890", "to": "+1987654321", "message": "by the door 👋", "contact_name": "John Doe"},
        )
        assert posted.status_code == 202
        await ingest(site, message="for the archive", message_id="m2", contact_name="John D.")
        [thread] = (await http.get("/api/conversations")).json()["data"]
        assert (thread["chat"], thread["messages"], thread["name"]) == ("1234567890@c.us", 2, "John D.")
        assert thread["account"] == "acme-1987654321"
        assert (thread["contact"]["phone"], thread["contact"]["keys"]) == ("1234567890", ["1234567890@c.us"])
        assert thread["last_message"]["content"] == "for the archive"
        said = (await http.get("/api/conversations/+1234567890/messages")).json()["data"]
        assert [each["content"] for each in said] == ["for the archive", "by the door 👋"]
        assert (said[1]["direction"], said[1]["from"], said[1]["to"]) == ("inbound", "1234567890", "1987654321")


async def test_ingest_makes_the_contact_once_and_takes_a_message_once(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        first = await ingest(site, message_id="m1", contact_name="Ana")
        again = await ingest(site, message_id="m1", contact_name="Ana")
        second = await ingest(site, message_id="m2")
        assert (first["status"], again["status"], again["id"]) == ("ingested", "duplicate", first["id"])
        assert first["contact_id"] == second["contact_id"]
        [thread] = (await http.get("/api/conversations")).json()["data"]
        assert thread["messages"] == 2
        assert thread["name"] == "Ana", "a message without a name takes none away"


async def test_outbound_messages_stand_in_the_same_thread(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        await ingest(site, message="question", contact_name="Ana")
        answer = {"from": "+1987654321", "to": "+1234567890", "message": "answer", "direction": "outbound"}
        assert (await http.post(INGEST, json=answer)).status_code == 201
        [thread] = (await http.get("/api/conversations")).json()["data"]
        assert (thread["messages"], thread["name"], thread["last_message"]["direction"]) == (2, "Ana", "outbound")


async def test_nothing_that_is_ingested_is_delivered(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        await ingest(site)
        assert (await http.get("/api/jobs")).json()["data"] == []


async def test_the_tenant_is_found_by_the_number_on_our_side(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        made = {"name": "shop", "provider": "session", "client": "acme", "phone": OURS}
        assert (await http.post("/api/accounts", json=made)).status_code == 201
        found = await ingest(site, ADMIN)
        assert (found["tenant_id"], found["account"]) == ("acme", "shop")
        unknown = await http.post(INGEST, json={"from": "+1234567890", "to": "+15550001111", "message": "x"})
        assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "tenant_id")


async def test_another_clients_conversations_are_not_there(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(OTHER) as http:
        await ingest(site)
        assert (await http.get("/api/conversations")).json()["data"] == []
        assert (await http.get("/api/conversations/1234567890@c.us/messages")).status_code == 404
        assert (await http.get("/api/conversations?tenant_id=acme")).status_code == 404
        refused = await http.post(INGEST, json={"from": "+1234567890", "message": "x", "tenant_id": "acme"})
        assert refused.status_code == 404


async def test_the_admin_token_sees_a_conversation_without_saying_whose_unless_two_have_it(tmp_path: Path) -> None:
    path = "/api/conversations/+1234567890/messages"
    async with api_site(tmp_path) as site, site.as_(ADMIN) as admin, site.as_(OTHER) as other:
        assert (await admin.get(path)).status_code == 404
        await ingest(site)
        [message] = (await admin.get(path)).json()["data"]
        assert (await admin.get(f"{path}?account={message['account']}")).json()["data"] == [message]
        assert (await admin.get(f"{path}?account=nobody")).status_code == 404
        await other.post(INGEST, json={"from": "+1234567890", "to": "+15550009999", "message": "theirs"})
        refused = await admin.get(path)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "tenant_id")
        shown = (await admin.get(f"{path}?tenant_id=other")).json()["data"]
        assert [each["content"] for each in shown] == ["theirs"]


async def test_pages_hold_every_thread_and_every_message_once(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        for number in range(7):
            await ingest(site, **{"from": f"+123456789{number}"}, message=f"m{number}")
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 3}
        while True:
            page = (await http.get("/api/conversations", params=query)).json()
            seen += [each["chat"] for each in page["data"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [f"123456789{number}@c.us" for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": "+1234567890"}, "message"),
        ({"from": "", "message": "x"}, "from"),
        ({"from": "+1234567890", "message": "x", "direction": "outbound"}, "to"),
        ({"from": "me", "to": "+1234567890", "message": "x", "direction": "outbound"}, "from"),
        ({"from": "+1234567890", "message": "x", "direction": "sideways"}, "direction"),
        ({"from": "+1234567890", "message": "x", "timestamp": "soon"}, "timestamp"),
    ],
)
async def test_what_cannot_be_ingested_is_named(body: dict[str, Any], field: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        answer = await http.post(INGEST, json=body)
        assert answer.status_code in {400, 422}
        assert field in {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("cursor", ["x", "2025", "bm90IGEgdGltZQ==", "💥"])
async def test_a_made_up_cursor_is_refused(cursor: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        answer = await http.get("/api/conversations", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "?cursor")
