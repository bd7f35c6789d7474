"""Forged, replayed, unsigned and broken webhooks: refused, and nothing of them is kept."""

from __future__ import annotations

from typing import Any

from tests.chatwoot_office import DOOR, Office, office
from wagate.testing.chatwoot import encoded, signature

HOUR = 3600


async def knock(here: Office, raw: bytes, headers: dict[str, str], door: str = DOOR) -> int:
    """The status that a webhook is answered with."""
    sent = {"Content-Type": "application/json", "Authorization": "", **headers}
    return (await here.gateway.http.post(door, content=raw, headers=sent)).status_code


async def message(here: Office, text: str = "forged") -> dict[str, Any]:
    """The body of a webhook about an agent's message that never was."""
    await here.talk()
    here.chatwoot.webhooks.hold()
    written = here.chatwoot.agent.writes(here.chatwoot.state.conversations[0], text)
    here.chatwoot.state.messages.remove(written)
    return here.chatwoot.webhooks.sent[-2].body | {"id": 99_999}


async def assert_nothing_kept(here: Office) -> None:
    """No event, no message."""
    await here.gateway.passes(60, step=30)
    rows = await here.gateway.ask("GET", "/api/jobs", params={"connector": "chatwoot", "limit": 200})
    assert {row["event"] for row in rows["data"]} <= {"message", "message.any"}
    assert here.waha.sent == []


async def test_forged_replayed_and_unsigned_webhooks_are_401_and_nothing_is_stored() -> None:
    async with office() as here:
        raw = encoded(await message(here))
        secret, now = here.chatwoot.inbox.secret, int(here.gateway.clock.time())
        right = signature(secret, now, raw)
        assert await knock(here, raw, {}) == 401
        assert await knock(here, raw, signature("another secret", now, raw)) == 401
        assert await knock(here, raw + b" ", right) == 401
        assert await knock(here, raw, {"X-Chatwoot-Signature": right["X-Chatwoot-Signature"]}) == 401
        for age in (-HOUR, -330, 330, HOUR):
            assert await knock(here, raw, signature(secret, now + age, raw)) == 401
        for stamp in ("", "soon", "-1", "9" * 400):
            assert await knock(here, raw, right | {"X-Chatwoot-Timestamp": stamp}) == 401
        for sign in ("", "sha256=", "sha256=é", "sha1=00"):
            assert await knock(here, raw, right | {"X-Chatwoot-Signature": sign.encode()}) == 401  # type: ignore[dict-item]
        await assert_nothing_kept(here)


async def test_a_webhook_that_is_replayed_in_time_is_known() -> None:
    async with office() as here:
        raw = encoded(await message(here, "once"))
        headers = signature(here.chatwoot.inbox.secret, int(here.gateway.clock.time()), raw)
        for _ in range(5):
            assert await knock(here, raw, headers) == 200
        await here.until_sent(1)
        await here.gateway.passes(60, step=30)
        assert here.sent() == ["once"]


async def test_a_signed_body_that_is_no_webhook_is_refused_or_left_alone() -> None:
    async with office() as here:
        for raw in (b"", b"{", b"[]", b"null", b"\xff", b'{"event":1}', b'{"id":1}', b"[" * 50_000):
            headers = signature(here.chatwoot.inbox.secret, int(here.gateway.clock.time()), raw)
            assert await knock(here, raw, headers) in {200, 400}, raw[:20]
        await assert_nothing_kept(here)


async def test_unknown_events_are_200_and_unknown_inboxes_401() -> None:
    async with office() as here:
        raw = b'{"event":"message_teleported","id":1}'
        headers = signature(here.chatwoot.inbox.secret, int(here.gateway.clock.time()), raw)
        assert await knock(here, raw, headers) == 200
        for door in ("/webhooks/chatwoot/main/nowhere", "/webhooks/chatwoot/nobody/desk"):
            assert await knock(here, raw, headers, door) == 401
        await assert_nothing_kept(here)


async def test_an_old_server_that_does_not_sign_needs_the_token_in_its_url() -> None:
    async with office(secret="", webhook_token="a-token-of-the-url") as here:
        here.chatwoot.habits.sign = False
        talk = await here.talk()
        body = here.chatwoot.webhooks.sent[-1].raw
        for query, status in (("", 401), ("?token=wrong", 401), ("?token=a-token-of-the-url", 200)):
            assert await knock(here, body, {}, DOOR + query) == status
        here.chatwoot.inbox.webhook_url += "?token=a-token-of-the-url"
        here.chatwoot.agent.writes(talk, "hello")
        await here.until_sent(1)


async def test_with_neither_secret_nor_token_nothing_is_taken() -> None:
    async with office(secret="") as here:
        assert await knock(here, b'{"event":"message_created"}', {}) == 401


async def test_a_server_that_leaves_keys_out_is_understood() -> None:
    async with office() as here:
        whole = await message(here, "from an old server")
        keys = ("account", "assignee_type", "updated_at", "contact_inbox", "meta", "messages", "inbox", "sender")
        for number, old in enumerate(keys):
            body = {key: value for key, value in whole.items() if key != old} | {"id": 99_000 + number}
            body["conversation"] = {key: value for key, value in whole["conversation"].items() if key != old}
            raw = encoded(body, escape=False)
            headers = signature(here.chatwoot.inbox.secret, int(here.gateway.clock.time()), raw)
            assert await knock(here, raw, headers) == 200
        await here.until_sent(len(keys))
        assert set(here.sent()) == {"from an old server"}
