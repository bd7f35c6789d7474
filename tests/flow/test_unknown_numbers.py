"""A webhook for a session or number that no account has: kept apart, shown, and never in anybody's chats."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tests.inprocess import Gateway
from tests.provider_sites import THEM, Infobip, Meta, Sessions, Site, Twilio, Waha, gateway, post, rows

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

STRANGE = "15557777777"
TEXT = "mum, it's me"


def of_waha(site: Site) -> tuple[bytes, str]:
    return site.fake.webhook("message", site.fake.incoming(TEXT), session="private")[0], "private"


def of_sessions(site: Site) -> tuple[bytes, str]:
    return site.text(TEXT).replace(b'"sessionId":"main"', b'"sessionId":"private"'), "private"


def of_twilio(site: Site) -> tuple[bytes, str]:
    form = site.fake.receive(TEXT, sender="15550002222") | {"To": f"whatsapp:+{STRANGE}"}
    return urlencode(form).encode(), STRANGE


def of_infobip(site: Site) -> tuple[bytes, str]:
    document = json.loads(site.text(TEXT))
    document["results"][0]["to"] = STRANGE
    return json.dumps(document).encode(), STRANGE


def of_meta(site: Site) -> tuple[bytes, str]:
    document = json.loads(site.text(TEXT))
    metadata = {"display_phone_number": STRANGE, "phone_number_id": "999"}
    document["entry"][0]["changes"][0]["value"]["metadata"] = metadata
    return json.dumps(document).encode(), "999"


CASES = [(Waha, of_waha), (Sessions, of_sessions), (Twilio, of_twilio), (Infobip, of_infobip), (Meta, of_meta)]


def deliveries(found: Gateway) -> int:
    with sqlite3.connect(f"file:{found.folder / 'data' / 'wagate.db'}?mode=ro", uri=True) as database:
        [(count,)] = database.execute("SELECT COUNT(*) FROM deliveries")
    return int(count)


@pytest.mark.parametrize(("make", "webhook"), CASES, ids=lambda each: getattr(each, "provider", ""))
async def test_what_is_for_a_number_of_no_account_is_kept_apart_and_shown(
    make: Callable[[], Site], webhook: Callable[[Site], tuple[bytes, str]]
) -> None:
    site = make()
    if isinstance(site, Sessions):
        site.settings = lambda of=site.settings: of() | {"session_id": "main"}  # type: ignore[method-assign]
    async with gateway(site, delivery={"allow_networks": ["203.0.113.0/24", "127.0.0.0/8"]}) as found:
        await found.register("https://203.0.113.9/hook", events=["*", "message.any"])
        body, number = webhook(site)
        for _ in range(2):
            await post(found, body, site.proof(body))
        assert rows(found) == [("unknown", "unknown", "", "")]
        assert deliveries(found) == 0
        assert (await found.ask("GET", "/api/conversations"))["data"] == []
        [shown] = (await found.ask("GET", "/api/unknown-numbers"))["data"]
        told = (shown["number"], shown["provider"], shown["account"], shown["events"])
        assert told == (number, site.provider, "main", 1)
        lines = (await found.ask("GET", "/api/doctor"))["data"]
        assert [line["level"] for line in lines if line["part"] == "numbers" and number in line["detail"]] == ["warn"]


async def test_a_session_that_another_account_has_is_that_accounts() -> None:
    site = Sessions()
    other = {"provider": "session", "base_url": "http://127.0.0.1:9", "api_key": "k"}
    async with gateway(site, **{"accounts.private": other}) as found:
        body, _ = of_sessions(site)
        await post(found, body, site.proof(body))
        assert [each["account"] for each in (await found.ask("GET", "/api/conversations"))["data"]] == ["private"]
        assert (await found.ask("GET", "/api/unknown-numbers"))["data"] == []


async def test_an_account_without_a_session_is_the_first_that_is_posted_to_it_and_no_other() -> None:
    site = Sessions()
    other = {"provider": "session"}

    def of(session: str, text: str) -> bytes:
        return site.text(text).replace(b'"sessionId":"main"', f'"sessionId":"{session}"'.encode())

    async with gateway(site, **{"accounts.shop": other}) as found:
        for session, text in (("mobile", "first"), ("private", TEXT), ("mobile", "again"), ("shop", "to the shop")):
            body = of(session, text)
            await post(found, body, site.proof(body))
        shown = sorted(each["content"] for each in await archived(found))
        assert shown == ["again", "first", "to the shop"]
        assert [each["number"] for each in (await found.ask("GET", "/api/unknown-numbers"))["data"]] == ["private"]
        # What the account is named after is its own, from then on alone.
        for session, text in (("main", "by its name"), ("mobile", "of another, after all")):
            body = of(session, text)
            await post(found, body, site.proof(body))
        assert sorted(each["content"] for each in await archived(found)) == sorted([*shown, "by its name"])


async def archived(found: Gateway) -> list[dict[str, str]]:
    """All messages of the threads of `THEM`."""
    return [
        message
        for account in ("main", "shop")
        for message in (await found.ask("GET", f"/api/conversations/{THEM}/messages?account={account}"))["data"]
    ]


async def test_a_client_sees_its_own_unknown_numbers_alone() -> None:
    site = Waha()
    async with gateway(site) as found:
        body, _ = of_waha(site)
        await post(found, body, site.proof(body))
        client = await found.client("acme")
        theirs = {"Authorization": f"Bearer {client['token']}"}
        assert (await found.ask("GET", "/api/unknown-numbers", headers=theirs))["data"] == []
        assert len((await found.ask("GET", "/api/unknown-numbers?tenant_id=default"))["data"]) == 1
