"""Conversations out of providers' own webhooks: all is archived, groups too; one person under all their keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.inprocess import Gateway
from tests.provider_sites import ACCENT, SITES, THEM, Meta, Sessions, Site, Twilio, Waha, gateway, post

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

PERSON, GROUP = f"{THEM}@c.us", "120363000000000001@g.us"
Json = dict[str, Any]


async def conversations(found: Gateway) -> list[Json]:
    rows: list[Json] = (await found.ask("GET", "/api/conversations"))["data"]
    return rows


async def said(found: Gateway, chat: str) -> list[str]:
    rows = (await found.ask("GET", f"/api/conversations/{chat}/messages"))["data"]
    return [row["content"] for row in reversed(rows)]


@pytest.mark.parametrize("make", SITES, ids=lambda make: make.provider)
async def test_what_comes_in_and_goes_out_stands_in_one_thread(make: Callable[[], Site]) -> None:
    site = make()
    async with gateway(site) as found:
        body = site.text(ACCENT)
        for _ in range(2):
            await post(found, body, site.proof(body))
        answer = {"to": f"+{THEM}", "message": {"text": "Hello"}, "account": "main"}
        await found.ask("POST", "/messages/send", json=answer)
        [thread] = await conversations(found)
        assert (thread["chat"], thread["account"], thread["messages"]) == (PERSON, "main", 2)
        assert thread["contact"]["phone"] == THEM
        assert thread["last_message"]["direction"] == "outbound"
        assert await said(found, f"+{THEM}") == [ACCENT, "Hello"]


def meta_by_id(site: Meta, text: str, *, phone: bool) -> Json:
    """A message of somebody with a user name: with phone and business-scoped id, or by the id alone."""
    document: Json = site.fake.incoming(site.fake.text(text, sender=THEM), user_id="US.13491208655302741918")
    value = document["entry"][0]["changes"][0]["value"]
    value["messages"][0]["from_user_id"] = "US.13491208655302741918"
    if not phone:
        del value["messages"][0]["from"], value["contacts"][0]["wa_id"]
    return document


async def test_metas_phone_and_business_scoped_id_are_one_contact() -> None:
    site = Meta()
    async with gateway(site) as found:
        for text, phone in (("by id", False), ("with both", True), ("by id again", False)):
            body = json.dumps(meta_by_id(site, text, phone=phone)).encode()
            await post(found, body, site.proof(body))
        contacts = {thread["contact"]["id"] for thread in await conversations(found)}
        assert len(contacts) == 1
        for key in (f"+{THEM}", PERSON, "US.13491208655302741918@user"):
            assert await said(found, key) == ["by id", "with both", "by id again"]


@pytest.mark.parametrize(
    "told",
    [
        {"Info": {"SenderAlt": f"{THEM}@s.whatsapp.net"}},
        {"key": {"remoteJidAlt": f"{THEM}@s.whatsapp.net"}},
        {"key": {"senderPn": f"{THEM}@s.whatsapp.net"}},
    ],
    ids=["GOWS", "NOWEB", "NOWEB, older"],
)
async def test_wahas_lid_and_phone_are_one_contact(told: Json) -> None:
    site, lid = Waha(), "990000001@lid"
    async with gateway(site) as found:
        payloads = [
            site.fake.incoming("by LID", sender=lid),
            site.fake.incoming("with both", sender=lid) | {"_data": told},
            site.fake.incoming("by phone", sender=PERSON),
        ]
        for payload in payloads:
            body, _ = site.fake.webhook("message", payload)
            await post(found, body, site.proof(body))
        assert {thread["contact"]["phone"] for thread in await conversations(found)} == {THEM}
        for key in (lid, PERSON):
            assert await said(found, key) == ["by LID", "with both", "by phone"]


@pytest.mark.parametrize("make", [Meta, Waha, Sessions], ids=lambda make: make.provider)
async def test_a_groups_messages_stand_in_the_group_and_not_with_who_wrote_them(make: Callable[[], Site]) -> None:
    site = make()
    async with gateway(site) as found:
        document = in_group(json.loads(site.text("to all")))
        body = json.dumps(document).encode()
        await post(found, body, site.proof(body))
        [thread] = await conversations(found)
        assert (thread["chat"], thread["contact"]) == (GROUP, None)
        assert await said(found, GROUP) == ["to all"]


def in_group(document: Json) -> Json:
    """The webhook of a text as one of a group, in any provider's words."""
    if "entry" in document:
        document["entry"][0]["changes"][0]["value"]["messages"][0]["group_id"] = GROUP.partition("@")[0]
    elif "payload" in document:
        document["payload"] |= {"id": f"false_{GROUP}_3EB0_{PERSON}", "from": GROUP, "participant": PERSON}
    else:
        message = document["data"]["message"]
        key = {"fromMe": False, "remote": GROUP, "id": "3EB0", "participant": PERSON}
        whole = f"false_{GROUP}_3EB0_{PERSON}"
        message |= {"id": key | {"_serialized": whole}, "from": GROUP, "author": PERSON}
    return document


async def test_twilios_external_user_id_is_an_alias_of_the_phone() -> None:
    site = Twilio()
    async with gateway(site) as found:
        body = site.text("Hi") + b"&ExternalUserId=US.13491208655302741918"
        await post(found, body, site.proof(body))
        assert await said(found, "US.13491208655302741918@user") == ["Hi"]
