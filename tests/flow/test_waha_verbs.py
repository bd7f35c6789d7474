"""WAHA's verbs, driven by a client that was built for WAHA (waha-py)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
import trio
from waha import WahaClient

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from tests.fake_messages import FakeMessages
from tests.openapi_documents import openapi
from wagate.errors import AccountStoppedError, SendRefusedError, UnprocessableError
from wagate.events import SESSION_STATES, NewEvent, SessionChange, SessionStatus, kinds
from wagate.hooks import MessageView, OutLocation, OutMedia, OutReaction, Provider, Signal
from wagate.plugins.account_settings import NoSettings

CHAT = "12132132130@c.us"
TEXT = {"session": "default", "chatId": CHAT, "text": "Hi", "reply_to": "", "linkPreview": False, "id": None, "x": 1}
PLAIN = Provider(name="plain", title="Plain", settings_type=NoSettings, secrets=frozenset())
"""A provider without sessions."""


class Waha:
    """A WAHA client on a thread of its own."""

    def __init__(self, url: str, token: str) -> None:
        self._client = WahaClient(url, api_key=token)

    async def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        """``chatting.send_text`` …"""
        controller, _, method = name.partition(".")
        call = partial(getattr(getattr(self._client, controller), method), *arguments, **options)
        return await trio.to_thread.run_sync(call)

    async def refused(self, name: str, *arguments: Any, **options: Any) -> Any:
        """The problem of a call that is refused."""
        with pytest.raises(httpx.HTTPStatusError) as caught:
            await self(name, *arguments, **options)
        problem = caught.value.response.json()
        assert problem["statusCode"] == problem["status"] == caught.value.response.status_code
        assert problem["message"] == problem["detail"]
        return problem

    def close(self) -> None:
        self._client.close()


@asynccontextmanager
async def waha(folder: Path, messages: FakeMessages, token: str = ACME) -> AsyncIterator[tuple[ApiSite, Waha]]:
    """With the accounts ``main`` (a linked device) and ``plain`` of the client ``acme``."""
    async with api_site(folder, outbound=messages.outbound, provided=[PLAIN]) as running:
        async with running.as_(ACME) as http:
            for name, provider in (("main", "session"), ("plain", "plain")):
                account = {
                    "name": name,
                    "provider": provider,
                    "phone": "15550000001" if name == "main" else "15550000002",
                }
                assert (await http.post("/api/accounts", json=account)).status_code == 201
        client = Waha(running.url, token)
        try:
            yield running, client
        finally:
            client.close()


def valid(answer: Any, schema: str, *but: str) -> None:
    """Hold an answer against WAHA's own document, ``but`` for fields of which that says what is not so."""
    schemas = openapi("waha")["components"]["schemas"]
    for field in but:
        del schemas[schema]["properties"][field]
    wanted = {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": schemas}}
    errors = [error.message for error in jsonschema_rs.Draft202012Validator(wanted).iter_errors(answer)]
    assert not errors


async def test_a_text_is_sent_and_answered_as_waha_does(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with waha(tmp_path, messages) as (_, client):
        answer = await client("chatting.send_text", TEXT)
    assert (answer["id"], answer["to"], answer["body"], answer["fromMe"]) == ("wamid.Hi", CHAT, "Hi", True)
    assert (answer["from"], answer["ack"], answer["ackName"]) == ("15550000001@c.us", 1, "SERVER")
    assert answer["_data"]["id"] == messages.views[0].id
    [message] = messages.messages
    assert (message.chat, message.type, message.preview_url, message.reply_to) == (CHAT, "text", False, "")
    valid(answer, "WAMessage")


async def test_what_is_not_sent_yet_has_an_id_that_later_calls_understand(tmp_path: Path) -> None:
    messages = FakeMessages(lambda view: view)
    async with waha(tmp_path, messages) as (_, client):
        answer = await client("chatting.send_text", TEXT)
        view = messages.views[0]
        assert (answer["id"], answer["ack"]) == (f"true_{CHAT}_{view.id}", 0)
        early = await client.refused("chatting.set_reaction", {"messageId": answer["id"], "reaction": "👍"})
        messages.views[0] = msgspec.structs.replace(view, status="sent", message_id="wamid.9")
        await client("chatting.set_reaction", {"messageId": answer["id"], "reaction": "👍"})
    assert (early["status"], early["errors"][0]["field"]) == (422, "messageId")
    assert messages.messages[-1].reaction == OutReaction(message_id="wamid.9", emoji="👍")
    assert messages.messages[-1].chat == CHAT


FILE = {"mimetype": "application/pdf", "filename": "a.pdf"}


@pytest.mark.parametrize(
    ("verb", "fields", "expected"),
    [
        ("send_image", {"file": {"mimetype": "image/jpeg", "url": "https://e.example/a.jpg"}, "caption": "A"},
         {"type": "image", "text": "A", "media": OutMedia(url="https://e.example/a.jpg", mimetype="image/jpeg")}),
        ("send_file", {"file": FILE | {"data": base64.b64encode(b"%PDF").decode()}, "caption": None},
         {"type": "document", "media": OutMedia(media_id="m-1", filename="a.pdf", mimetype="application/pdf")}),
        ("send_voice", {"file": {"mimetype": "audio/ogg; codecs=opus", "url": "https://e.example/a"}, "convert": True},
         {"type": "voice", "media": OutMedia(url="https://e.example/a", mimetype="audio/ogg; codecs=opus")}),
        ("send_video", {"file": {"url": "https://e.example/a.mp4"}, "convert": False, "asNote": False},
         {"type": "video", "media": OutMedia(url="https://e.example/a.mp4")}),
        ("send_location", {"latitude": 38.9, "longitude": -77, "title": "Office"},
         {"type": "location", "location": OutLocation(latitude=38.9, longitude=-77, name="Office")}),
        ("send_contact_vcard", {"contacts": [{"vcard": "BEGIN:VCARD"}, {"fullName": "Jo", "organization": "Co",
                                "phoneNumber": "+91 11111 11111", "whatsappId": "911111111111", "vcard": None}]},
         {"type": "contacts", "contacts": (
             {"vcard": "BEGIN:VCARD"},
             {"name": {"formatted_name": "Jo"}, "org": {"company": "Co"},
              "phones": [{"phone": "+91 11111 11111", "wa_id": "911111111111"}]},
         )}),
    ],
)  # fmt: skip
async def test_every_verb_sends_its_kind(
    verb: str, fields: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    messages = FakeMessages()
    async with waha(tmp_path, messages) as (_, client):
        answer = await client(f"chatting.{verb}", {"session": "main", "chatId": CHAT, "reply_to": "wamid.7"} | fields)
    [message] = messages.messages
    assert {name: getattr(message, name) for name in expected} == expected
    assert (message.chat, message.reply_to, messages.views[0].account) == (CHAT, "wamid.7", "main")
    assert answer["hasMedia"] == ("media" in expected)


async def test_messages_are_named_by_our_webhooks_ids_and_by_the_providers(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with waha(tmp_path, messages) as (running, client):
        account = running.live.now.accounts["plain"]
        for number in ("wamid.A_B", "false_15550000111@c.us_3EB0"):
            chat = "15550000111@c.us"
            event = NewEvent(kind=kinds.MESSAGE, provider_id=number, message_id=number, chat=chat, sender=chat)
            await running.receiver.receive(account, [event], b"{}")
        named = {
            "false_15550000111@c.us_wamid.A_B": "wamid.A_B",
            "wamid.A_B": "wamid.A_B",
            "false_15550000111@c.us_3EB0": "false_15550000111@c.us_3EB0",
            "false_15550000222@c.us_ABC_333@c.us": "false_15550000222@c.us_ABC_333@c.us",
        }
        for name in named:
            await client("chatting.set_reaction", {"session": "plain", "messageId": name, "reaction": "👍"})
        unknown = await client.refused("chatting.set_reaction", {"messageId": "wamid.C", "reaction": ""})
    reactions = [message.reaction for message in messages.messages]
    assert reactions == [OutReaction(message_id=each, emoji="👍") for each in named.values()]
    assert [each.chat for each in messages.messages] == ["15550000111@c.us"] * 3 + ["15550000222@c.us"]
    assert (unknown["status"], unknown["errors"][0]["field"]) == (422, "messageId")


async def test_seen_and_typing_are_told_at_once(tmp_path: Path) -> None:
    messages = FakeMessages()
    chat = {"session": "main", "chatId": CHAT}
    async with waha(tmp_path, messages) as (_, client):
        answers = [
            await client("chatting.send_seen", chat | {"messageIds": ["a"], "messageId": "b", "participant": None}),
            await client("chatting.start_typing", chat),
            await client("chatting.stop_typing", chat),
        ]
    assert answers == [{"success": True}] * 3
    assert messages.signals == [
        (Signal(kind="seen", chat=CHAT, message_ids=("a", "b")), "main"),
        (Signal(kind="typing", chat=CHAT), "main"),
        (Signal(kind="paused", chat=CHAT), "main"),
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnprocessableError("plain can't show typing"), 422),
        (SendRefusedError("no such chat", code="7"), 422),
        (AccountStoppedError("the token is wrong", code="190"), 502),
    ],
)
async def test_what_a_provider_can_not_do_names_the_reason_in_both_forms(
    error: Exception, status: int, tmp_path: Path
) -> None:
    messages = FakeMessages()
    messages.refuse = error
    async with waha(tmp_path, messages) as (_, client):
        problem = await client.refused("chatting.start_typing", {"session": "main", "chatId": CHAT})
    assert (problem["status"], problem["message"]) == (status, getattr(error, "reason", str(error)))
    assert problem.get("code", "") == getattr(error, "code", "")


@pytest.mark.parametrize(("code", "status"), [("131047", 422), (None, 502)])
async def test_a_refused_message_is_a_problem(code: str | None, status: int, tmp_path: Path) -> None:
    reason = "send a template" if code else "given up: Connection timeout"

    def failed(view: MessageView) -> MessageView:
        return msgspec.structs.replace(view, status="failed", error=reason, error_code=code)

    async with waha(tmp_path, FakeMessages(failed)) as (_, client):
        problem = await client.refused("chatting.send_text", TEXT)
    assert (problem["status"], problem["message"], problem.get("code")) == (status, reason, code)


async def test_the_session_names_the_account_and_so_the_client(tmp_path: Path) -> None:
    messages = FakeMessages()
    async with waha(tmp_path, messages, ADMIN) as (running, client):
        await client("chatting.send_text", TEXT | {"session": "main"})
        await client("chatting.send_text", {"chatId": CHAT, "text": "Hi"})
        missing = await client.refused("chatting.send_text", TEXT | {"session": "none"})
        other = Waha(running.url, OTHER)
        foreign = await other.refused("chatting.send_text", TEXT | {"session": "main"})
        other.close()
        ids = [running.live.now.by_slug[each].id for each in ("acme", "default")]
    assert [each.client_id for each in messages.views] == ids
    assert (missing["status"], foreign["status"]) == (404, 404)


WRONG: list[Any] = [
    ({"text": ""}, "text"),
    ({"text": " "}, "text"),
    ({"chatId": "nobody"}, "chatId"),
    ({"chatId": None}, "chatId"),
    ({"mentions": ["?"]}, "mentions"),
    ({"text": "a\0"}, "text"),
]
"""(fields, the one that is wrong)"""


async def test_a_wrong_body_names_its_field(tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (_, client):
        for fields, field in WRONG:
            problem = await client.refused("chatting.send_text", TEXT | fields)
            assert (problem["status"], problem["errors"][0]["field"]) == (422, field), fields


async def set_state(running: ApiSite, status: str, **more: Any) -> None:
    change = SessionChange(status=status, **more)
    event = NewEvent(kind=kinds.SESSION_STATUS, session=change)
    await running.receiver.receive(running.live.now.accounts["main"], [event], b"{}")


async def test_sessions_are_shown_in_wahas_words(tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (running, client):
        found = {}
        for status in SessionStatus:
            await set_state(running, status, qr="2@abc" if status == SessionStatus.QR_GENERATED else None)
            found[status] = (await client("sessions.get", "main"))["status"]
        await set_state(running, SessionStatus.SESSION_CONNECTED)
        listed = await client("sessions.list")
        await set_state(running, SessionStatus.SESSION_NOT_CONNECTED)
        working = await client("sessions.list")
        everyone = await client("sessions.list", {"all": "true"})
        plain = await client("sessions.get", "plain")
        me = [await client("sessions.get_me", name) for name in ("main", "plain")]
        missing = await client.refused("sessions.get", "none")
    assert found == {status: facts.waha for status, facts in SESSION_STATES.items()}
    assert [each["name"] for each in listed] == ["main", "plain"]
    assert [each["name"] for each in working] == ["plain"]
    assert [each["status"] for each in everyone] == ["STOPPED", "WORKING"]
    assert me == [None, {"id": "15550000002@c.us", "pushName": "plain"}]
    assert plain["me"] == me[1]
    assert (missing["status"], missing["message"]) == (404, "Session not found")
    # The real WAHA answers null for presence; the schema of timestamps is no valid schema.
    assert {"presence", "timestamps"} <= plain.keys()
    valid(plain, "SessionInfo", "presence", "timestamps")
    valid(me[1], "MeInfo")


async def test_a_qr_code_is_a_picture_its_text_or_json(tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (running, client):
        none = await client.refused("auth.get_qr", "main")
        await set_state(running, SessionStatus.QR_GENERATED, qr="2@abc")
        as_json = await client("auth.get_qr", "main")
        raw = await client("auth.get_qr", "main", {"format": "raw"})
        async with running.as_(ACME) as http:
            picture = await http.get("/api/main/auth/qr")
        async with running.as_(OTHER) as http:
            foreign = await http.get("/api/main/auth/qr")
    assert none["status"] == 422  # as WAHA: the session is not SCAN_QR_CODE
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert as_json == {"mimetype": "image/png", "data": base64.b64encode(picture.content).decode()}
    assert raw == {"value": "2@abc"}
    assert foreign.status_code == 404
    valid(as_json, "Base64File")
    valid(raw, "QRCodeValue")


async def test_a_screenshot_is_the_qr_code_of_a_session_that_waits_for_a_scan(tmp_path: Path) -> None:
    """As WAHA's engines without a browser answer."""
    async with waha(tmp_path, FakeMessages()) as (running, client):
        await set_state(running, SessionStatus.SESSION_CONNECTED)
        none = await client.refused("screenshot.screenshot", {"session": "main"})
        plain = await client.refused("screenshot.screenshot", {"session": "plain"})
        await set_state(running, SessionStatus.QR_GENERATED, qr="2@abc")
        async with running.as_(ACME) as http:
            picture = await http.get("/api/screenshot", params={"session": "main"})
            as_json = await http.get(
                "/api/screenshot", params={"session": "main"}, headers={"Accept": "application/json"}
            )
            qr = await http.get("/api/main/auth/qr")
        async with running.as_(OTHER) as http:
            foreign = await http.get("/api/screenshot", params={"session": "main"})
    assert (none["status"], plain["status"], foreign.status_code) == (422, 501, 404)
    assert "no browser" in none["message"]
    assert "no browser" in plain["message"]
    assert (picture.headers["content-type"], picture.content) == ("image/png", qr.content)
    assert as_json.json() == {"mimetype": "image/png", "data": base64.b64encode(qr.content).decode()}
    valid(as_json.json(), "Base64File")
