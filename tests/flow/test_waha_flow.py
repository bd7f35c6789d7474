"""WAHA in a whole gateway: its webhooks come in, signed; what it missed is fetched."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.inprocess import Gateway, running_gateway
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running

KEY = "hmac key of the test"
DOOR = "/webhooks/main"
THEM = "19990000000@c.us"


@asynccontextmanager
async def gateway(fake: FakeWaha, **tables: Any) -> AsyncIterator[Gateway]:
    async with running(fake):
        account = {"provider": "waha", "base_url": fake.url, "api_key": "k", "hmac_key": KEY}
        async with running_gateway({"accounts.main": account, "plugins.n8n": {}, **tables}) as found:
            yield found


async def post(found: Gateway, webhook: tuple[bytes, Mapping[str, str]], expected: int = 200, path: str = DOOR) -> Any:
    body, headers = webhook
    answer = await found.http.post(path, content=body, headers={**headers, "Authorization": ""})
    assert answer.status_code == expected, answer.text
    return answer


async def stored(found: Gateway) -> list[dict[str, Any]]:
    jobs = await found.ask("GET", "/api/jobs", params={"limit": 200, "connector": "n8n"})
    return list(reversed(jobs["data"]))


async def test_a_signed_webhook_is_stored_once_under_both_of_its_names() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        payload = fake.incoming("hello")
        for name in ("message", "message.any", "message"):
            await post(found, fake.webhook(name, payload, key=KEY))
        [job] = await stored(found)
    assert (job["account"], job["content"], job["message_id"]) == ("main", "hello", payload["id"])


async def test_a_wrong_hmac_and_a_body_written_anew_are_401_and_nothing_is_stored() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        payload = fake.incoming("olá")
        await post(found, fake.webhook("message", payload, key="another key"), 401)
        await post(found, fake.webhook("message", payload), 401)
        body, headers = fake.webhook("message", payload, key=KEY)
        await post(found, (json.dumps(json.loads(body)).encode(), headers), 401)
        assert await stored(found) == []
        await post(found, (body, headers))
        assert len(await stored(found)) == 1


async def test_the_sessions_state_follows_wahas() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        for word, status in (("SCAN_QR_CODE", "qr_generated"), ("WORKING", "session_connected")):
            await post(found, fake.webhook("session.status", {"name": "default", "status": word}, key=KEY))
            state = await found.ask("GET", "/api/whatsapp/session/status/main")
            assert (state["data"]["status"], state["data"]["qr"], state["data"]["needsQR"]) == (status, None, False)


async def test_one_webhook_of_wahas_carries_the_events_of_all_its_sessions() -> None:
    fake = FakeWaha(api_key="k")
    sales = {"provider": "waha", "base_url": "http://127.0.0.1:9", "session": "sales", "hmac_key": "own"}
    async with gateway(fake, **{"accounts.sales": sales}) as found:
        await post(found, fake.webhook("message", fake.incoming("to sales"), key=KEY, session="sales"))
        await post(found, fake.webhook("message", fake.incoming("to main"), key=KEY))
        assert [(job["account"], job["content"]) for job in await stored(found)] == [
            ("sales", "to sales"),
            ("main", "to main"),
        ]


async def test_a_session_without_an_account_changes_nothing_of_ours() -> None:
    fake = FakeWaha(api_key="k")
    async with gateway(fake) as found:
        await post(found, fake.webhook("session.status", {"status": "WORKING"}, key=KEY))
        await post(found, fake.webhook("session.status", {"status": "FAILED"}, key=KEY, session="other"))
        state = await found.ask("GET", "/api/whatsapp/session/status/main")
        assert state["data"]["status"] == "session_connected"
