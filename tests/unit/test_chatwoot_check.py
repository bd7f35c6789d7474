"""``wagate doctor`` about Chatwoot: what it asks, and what its answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatwoot_desk import Desk, a_desk
from wagate.hooks import Finding
from wagate.testing.chatwoot import faults
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.setup.check import failure_finding, is_private, make_checks, webhook_finding, webhook_url

OURS = "https://gateway.example/webhooks/chatwoot/main/support"


def inbox(**fields: Any) -> Inbox:
    given = {"url": "https://chat.example", "account_id": 1, "token": "t", "inbox_id": 7, "secret": "s"}
    return Inbox(**(given | {"accounts": ("main",)} | fields))


async def looked(desk: Desk) -> dict[str, Finding]:
    [look] = make_checks(desk.app.context, desk.apps)
    return {each.what.removeprefix("support: "): each for each in await look()}


async def test_all_is_well() -> None:
    async with a_desk() as desk:
        desk.server.inbox.webhook_url = OURS
        found = await looked(desk)
    assert {name: each.level for name, each in found.items()} == dict.fromkeys(
        ("token", "version", "inbox", "webhook", "secret"), "ok"
    )
    assert found["version"].detail == "4.15.1"


async def test_names_that_lead_nowhere_fail() -> None:
    async with a_desk(accounts=["main", "acme-main", "shop"]) as desk:
        [look] = make_checks(desk.app.context, desk.apps)
        found = [each for each in await look() if each.what == "support: accounts"]
        assert [(each.level, each.detail.partition(":")[0]) for each in found] == [
            ("fail", "default has no account acme-main"),
            ("fail", "default has no account shop"),
        ]
        assert "write its new name into accounts" in found[0].next_step
    async with a_desk(client="nobody") as desk:
        found_by_name = await looked(desk)
        assert (found_by_name["client"].level, "accounts" in found_by_name) == ("fail", False)
        desk.fakes.accounts.owners.clear()  # no gateway runs: nobody is known
        assert "client" not in await looked(desk)


@pytest.mark.parametrize(
    ("who", "step"),
    [
        ("bot", "a bot's may not see contacts"),
        ("nobody", "underscores_in_headers"),
        ("guest", "an agent of this account"),
    ],
)
async def test_a_token_that_does_not_do_says_why(who: str, step: str) -> None:
    async with a_desk() as desk:
        token = {"bot": desk.server.bot.token, "nobody": "wrong", "guest": desk.server.user.token}[who]
        if who == "guest":
            desk.server.fail(faults.unauthorized("You are not authorized to access this account"))
        async with a_desk(url=desk.server.url, token=token) as other:
            found = await looked(other)
    assert found["token"].level == "fail"
    assert step in found["token"].next_step


async def test_no_such_inbox_a_busy_server_and_one_that_is_away() -> None:
    async with a_desk(inbox_id=99) as desk:
        assert (await looked(desk))["inbox"].level == "fail"
        desk.server.fail(faults.throttled(7))
        assert (await looked(desk))["rate limit"].next_step.startswith("try again in 7 s")
        desk.server.fail(faults.bad_gateway(path=""))
        assert (await looked(desk))["reachable"].level == "fail"


async def test_an_inbox_of_another_channel_is_none_of_ours() -> None:
    async with a_desk() as desk:
        desk.server.inbox.channel = "Channel::WebWidget"
        assert "channel is Channel::WebWidget" in (await looked(desk))["inbox"].detail


async def test_the_secret_is_compared_when_the_token_may_see_it() -> None:
    async with a_desk(secret="another one") as desk:
        assert "can't be compared" in (await looked(desk))["secret"].detail
        async with a_desk(url=desk.server.url, token=desk.server.admin.token, secret="another one") as admin:
            found = (await looked(admin))["secret"]
    assert (found.level, found.detail) == ("fail", "it is not the one that Chatwoot signs with")


async def test_without_secret_and_token_every_webhook_would_be_refused() -> None:
    async with a_desk(secret="") as desk:
        assert (await looked(desk))["secret"].level == "fail"


async def test_chatwoots_refusal_of_private_addresses_is_known_by_its_words_and_has_a_cure() -> None:
    async with a_desk() as desk:
        message = await desk.takes()
        assert "reachable from Chatwoot" not in await looked(desk)
        message.content_attributes["external_error"] = "Hostname 'wagate.lan' has no public ip addresses"
        found = (await looked(desk))["reachable from Chatwoot"]
    assert found.level == "fail"
    assert "SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true" in found.next_step
    assert "4.14.1" in found.next_step


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("401 Unauthorized", "compare secret"),
        ("404 Not Found", "restart the gateway"),
        ("Net::ReadTimeout with #<TCPSocket:(closed)>", "curl"),
        ("Failed to open TCP connection to x:80 (Connection refused - connect(2))", "curl"),
        ("503 Service Unavailable", "log"),
    ],
)
def test_chatwoots_words_for_a_webhook_that_failed_have_a_next_step(said: str, word: str) -> None:
    found = failure_finding(said)
    assert found is not None
    assert word in found.next_step


def test_a_reason_of_whatsapps_is_not_taken_for_a_webhook_that_failed() -> None:
    assert failure_finding("Not sent: the number is not on WhatsApp") is None


@pytest.mark.parametrize(
    ("url", "fields", "level"),
    [
        (OURS, {}, "ok"),
        (OURS.replace("/main/", "/default/"), {}, "ok"),
        ("", {}, "fail"),
        ("https://gateway.example/webhooks/chatwoot/main/other", {}, "fail"),
        ("https://gateway.example/webhooks/chatwoot/stranger/support", {}, "fail"),
        ("http://192.168.1.5:8080/webhooks/chatwoot/main/support", {}, "warn"),
        (OURS, {"secret": "", "webhook_token": "abc"}, "fail"),
        (f"{OURS}?token=abc", {"secret": "", "webhook_token": "abc"}, "ok"),
    ],
)
def test_the_webhooks_url(url: str, fields: dict[str, Any], level: str) -> None:
    found = webhook_finding(url, "support", inbox(**fields), public_url="https://gateway.example")
    assert found.level == level
    assert "abc" not in found.detail + found.next_step


def test_without_public_url_that_is_said() -> None:
    assert webhook_finding(OURS, "support", inbox(), public_url="").level == "warn"


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("10.0.0.1", True),
        ("wagate", True),
        ("wa.local", True),
        ("::1", True),
        ("wa.example.org", False),
        ("8.8.8.8", False),
    ],
)
def test_private_hosts(host: str, private: bool) -> None:
    assert is_private(host) is private


def test_the_url_that_chatwoot_must_post_to() -> None:
    assert webhook_url("https://gateway.example/", "main", "support") == OURS
