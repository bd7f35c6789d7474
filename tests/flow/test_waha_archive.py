"""WAHA's chats, contacts and sessions, served of what wagate has stored; by waha-py, and over the walls of clients."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.api_site import ACME, OTHER, ApiSite
from tests.fake_messages import FakeMessages
from tests.flow.test_waha_verbs import Waha, waha
from tests.inprocess import running_gateway
from wagate.events import Media, NewEvent, kinds

ANA, BOB, GROUP = "15550000111@c.us", "15550000222@c.us", "120363000000000001@g.us"
LID = "990000111@lid"


async def put(site: ApiSite, number: int, chat: str, text: str, **fields: Any) -> None:
    """A message of the account ``plain``."""
    ident = f"false_{chat}_3EB0{number:016d}"
    event = NewEvent(
        kind=kinds.MESSAGE,
        provider_id=ident,
        message_id=ident,
        chat=chat,
        sender=fields.pop("sender", chat),
        type=fields.pop("type", "text"),
        content=text,
        contact_name=fields.pop("name", "Ana"),
        **fields,
    )
    await site.receiver.receive(site.live.now.accounts["plain"], [event], b"{}")


async def test_chats_and_messages_come_from_the_archive(tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (site, client):
        for number in range(3):
            await put(site, number, ANA, f"hello {number}", aliases=(LID,))
        await put(
            site, 8, BOB, "", name="Bob", type="image", media=Media(mimetype="image/jpeg", url="https://x.example")
        )
        await put(site, 9, GROUP, "all", sender=ANA)
        chats = await client("chats.get_chats", "plain")
        first = await client("chats.get_chats", "plain", {"limit": 1, "offset": 1})
        overview = await client("chats.get_chats_overview", "plain", {"ids": [ANA]})
        newest = await client("chats.get_chat_messages", "plain", ANA, {"limit": 2, "downloadMedia": False})
        oldest = await client("chats.get_chat_messages", "plain", ANA, {"limit": 1, "sortOrder": "asc"})
        none = await client("chats.get_chat_messages", "plain", ANA, {"filter.fromMe": True})
        one = await client("chats.get_chat_message", "plain", ANA, newest[0]["id"])
        bare = await client("chats.get_chat_message", "plain", ANA, newest[0]["id"].split("_")[2])
        [file] = await client("chats.get_chat_messages", "plain", BOB)
        missing = await client.refused("chats.get_chat_message", "plain", ANA, "true_1@c.us_3EB0FFFFFFFFFFFFFFFF")
    assert [each["id"] for each in chats] == [GROUP, BOB, ANA]
    assert [each["name"] for each in chats] == [None, "Bob", "Ana"]
    assert [each["id"] for each in first] == [BOB]
    assert [(each["id"], each["lastMessage"]["body"]) for each in overview] == [(ANA, "hello 2")]
    assert [each["body"] for each in newest] == ["hello 2", "hello 1"]
    assert [each["body"] for each in oldest] == ["hello 0"]
    assert none == []
    assert one == bare == newest[0]
    assert (file["hasMedia"], file["media"]["mimetype"]) == (True, "image/jpeg")
    assert (missing["statusCode"], missing["message"], missing["error"]) == (404, "Message not found", "Not found")
    assert (one["from"], one["fromMe"], one["ackName"]) == (ANA, False, "DEVICE")


async def test_contacts_and_lids_are_the_people_that_wagate_knows(tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (site, client):
        await put(site, 1, ANA, "hello", aliases=(LID,))
        await put(site, 2, BOB, "hello", name="Bob")
        everyone = await client("contacts.get_all", {"session": "plain"})
        one = await client("contacts.get", {"session": "plain", "contactId": LID})
        stranger = await client("contacts.get", {"session": "plain", "contactId": "15550000999@c.us"})
        lids = await client("lids.get_all", "plain")
        count = await client("lids.get_lids_count", "plain")
        number = await client("lids.find_pn_by_lid", "plain", LID)
        lid = await client("lids.find_lid_by_phone_number", "plain", ANA)
        unknown = await client.refused("contacts.check_exists", {"session": "plain", "phone": "15550000111"})
    assert [(each["id"], each["name"]) for each in everyone] == [(ANA, "Ana"), (BOB, "Bob")]
    assert (one["id"], one["lid"], one["number"], one["isMyContact"]) == (ANA, LID, "15550000111", True)
    assert (stranger["isMyContact"], stranger["name"]) == (False, None)
    assert lids == [{"lid": LID, "pn": ANA}]
    assert count == {"count": 1}
    assert number == lid == lids[0]
    assert (unknown["statusCode"], unknown["error"]) == (501, "Not implemented")


async def test_nothing_of_another_client_is_seen(tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (site, _):
        await put(site, 1, ANA, "secret")
        other = Waha(site.url, OTHER)
        refused = [
            await other.refused("chats.get_chats", "plain"),
            await other.refused("chats.get_chat_messages", "plain", ANA),
            await other.refused("contacts.get_all", {"session": "plain"}),
            await other.refused("groups.get_groups", "plain"),
            await other.refused("labels.get_all", "plain"),
            await other.refused("chats.get_chats", "default"),
        ]
        mine = await Waha(site.url, ACME)("chats.get_chats", "default")
        other.close()
    assert {each["statusCode"] for each in refused} == {404}
    assert [each["id"] for each in mine] == []  # ``default`` is the client's oldest account


@pytest.mark.parametrize("operation", ["main/chats/a b/messages", "main/contacts/%00", "main/lids/pn/x"])
async def test_a_wrong_name_is_refused_with_the_reason(operation: str, tmp_path: Path) -> None:
    async with waha(tmp_path, FakeMessages()) as (site, _), site.as_(ACME) as http:
        answer = await http.get(f"/api/{operation}")
    assert answer.status_code in {404, 422}
    assert answer.json()["message"]


async def test_sessions_are_made_changed_and_deleted_with_their_webhooks() -> None:
    hook = {"url": "https://hook.example/a", "events": ["message", "poll.vote.failed"], "customHeaders": None}
    plain = {"provider": "meta", "access_token": "t", "phone_number_id": "1", "app_secret": "s", "verify_token": "v"}
    tables = {"plugins.webhook": {}, "delivery": {"allow_networks": ["127.0.0.0/8"]}, "accounts.plain": plain}
    async with running_gateway(tables) as found:
        config = {"metadata": {"user": "7"}, "webhooks": [hook | {"url": "https://127.0.0.1:1/a"}]}
        body = {"name": "shop", "start": False, "config": config}
        made = await found.ask("POST", "/api/sessions", 201, json=body)
        again = await found.ask("POST", "/api/sessions", 422, json=body)
        config = {"metadata": {}, "ignore": {"groups": True}, "webhooks": [hook | {"url": "https://127.0.0.1:1/b"}]}
        changed = await found.ask("PUT", "/api/sessions/shop", json={"config": config})
        bad = {"name": "bad", "config": {"webhooks": [{"url": "ftp://x", "events": ["message"]}]}}
        refused = await found.ask("POST", "/api/sessions", 422, json=bad)
        nameless = await found.ask("POST", "/api/sessions", 201, json={"start": False})
        by_proxy = {"proxy": {"server": "127.0.0.1:3128", "username": None, "password": None}}
        own = {"name": "own", "provider": "whatsapp", "settings": {"proxy": "http://127.0.0.1:3128"}}
        for verb, path, refused_body, field in (
            ("POST", "/api/sessions", {"name": "own", "config": by_proxy}, "config.proxy"),
            ("POST", "/api/sessions/start", {"name": "own", "config": by_proxy}, "config.proxy"),
            ("PUT", "/api/sessions/shop", {"config": config | by_proxy}, "config.proxy"),
            ("POST", "/api/accounts", own, "settings.proxy"),
            ("PATCH", "/api/accounts/shop", {"settings": own["settings"]}, "settings.proxy"),
        ):
            said = str(await found.ask(verb, path, 422, json=refused_body))
            assert field in said
            assert "only in config.toml" in said
        await found.ask("GET", "/api/accounts/own", 404)
        listed = await found.ask("GET", "/api/sessions?all=true")
        await found.ask("DELETE", "/api/sessions/shop")
        await found.ask("DELETE", "/api/sessions/shop")
        gone = await found.ask("GET", "/api/sessions/shop", 404)
        hooks = await found.ask("GET", "/api/webhooks/list")
        for verb in ("stop", "start", "logout"):  # the older forms
            await found.ask("POST", f"/api/sessions/{verb}", 422, json={"name": "plain"})
        with sqlite3.connect(f"file:{found.folder / 'data' / 'wagate.db'}?mode=ro", uri=True) as database:
            acts = [tuple(row) for row in database.execute("SELECT action, object FROM audit ORDER BY id")]
    assert (made["name"], made["config"]["metadata"]) == ("shop", {"user": "7"})
    assert made["config"]["webhooks"] == [{"url": "https://127.0.0.1:1/a", "events": ["message"]}]
    assert "already exists" in again["message"]
    assert changed["config"]["ignore"]["groups"] is True
    assert [each["url"] for each in changed["config"]["webhooks"]] == ["https://127.0.0.1:1/b"]
    assert refused["errors"][0]["field"] == "config.webhooks[0]"
    assert {each["name"] for each in listed} == {"plain", "shop", nameless["name"]}  # type: ignore[index]
    assert gone["message"] == "Session not found"
    assert hooks["data"] == []
    told = [("create session", "shop"), ("change session", "shop"), ("create session", nameless["name"])]
    assert acts == [*told, ("delete session", "shop")]
