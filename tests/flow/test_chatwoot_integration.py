"""The status conversation in a whole gateway, between a fake WAHA and a fake Chatwoot."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from tests.chatwoot_spec import assert_requests_valid
from tests.inprocess import Gateway, running_gateway
from wagate.testing.chatwoot import FakeChatwoot, Message
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.rest import at_rest
from wagate.testing.server import running
from wagate_chatwoot import inboxes
from wagate_chatwoot.agents.asks import STATUS_SOURCE

KEY = "hmac key of the test"
PATIENCE = 60.0
"""Seconds for one webhook, in place of Chatwoot's five."""


@dataclass
class Office:
    """All three, running."""

    gateway: Gateway
    chatwoot: FakeChatwoot
    waha: FakeWaha

    async def waha_tells(self, event: str, payload: dict[str, Any]) -> None:
        body, headers = self.waha.webhook(event, payload, key=KEY)
        answer = await self.gateway.http.post("/webhooks/main", content=body, headers={**headers, "Authorization": ""})
        assert answer.status_code == 200, answer.text

    async def becomes(self, status: str) -> Message:
        """The session gets another state; what is told of it."""
        self.waha.statuses["default"] = status
        before = len(self.board())
        await self.waha_tells("session.status", {"name": "default", "status": status})
        await self.until(before + 1)
        return self.board()[-1]

    async def asks(self, text: str) -> Message:
        """An agent writes; what wagate answers."""
        before = len(self.board())
        self.chatwoot.agent.writes(self.chatwoot.conversation(STATUS_SOURCE), text)
        await self.until(before + 1)
        return self.board()[-1]

    def board(self) -> list[Message]:
        """What wagate wrote in the status conversation, after its welcome."""
        return [each for each in self.chatwoot.posted(STATUS_SOURCE) if each.source_id != "wagate/welcome"]

    def customers(self) -> list[str | None]:
        """What stands in the other conversations."""
        board = self.chatwoot.posted(STATUS_SOURCE)
        return [each.content for each in self.chatwoot.posted() if each not in board]

    async def until(self, count: int) -> None:
        await self.chatwoot.until(lambda: len(self.board()) >= count)


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    chatwoot, waha = FakeChatwoot(), FakeWaha(api_key="k")
    chatwoot.habits.timeout = PATIENCE
    async with running(chatwoot), running(waha):
        tables = {
            "accounts.main": {"provider": "waha", "base_url": waha.url, "api_key": "k", "hmac_key": KEY},
            "plugins.chatwoot.inboxes.desk": chatwoot.settings(accounts=["main"]),
        }
        async with running_gateway(tables) as gateway:
            chatwoot.inbox.webhook_url = f"{gateway.url}/webhooks/chatwoot/main/desk"
            yield Office(gateway, chatwoot, waha)
    assert_requests_valid(chatwoot)


async def test_a_code_is_shown_scanned_and_asked_for_again() -> None:
    async with office() as desk:
        shown = await desk.becomes("SCAN_QR_CODE")
        assert shown.attachments[0].content.startswith(b"\x89PNG")
        connected = await desk.becomes("WORKING")
        assert (connected.content or "").startswith("✅ main: connected")
        assert (await desk.asks("status")).content == "main: connected"
        assert (await desk.asks("logout")).content == "main is logged out. Write qr main to link it again."
        assert desk.waha.statuses == {"default": "SCAN_QR_CODE"}
        await desk.becomes("SCAN_QR_CODE")
        assert (await desk.asks("qr")).attachments[0].filename == "qr.png"


async def test_a_paused_queue_keeps_messages_in_order_and_lets_them_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inboxes, "PAUSED_AGAIN", 3600.0)  # by itself nothing would be looked at again in this test
    async with office() as desk:
        await desk.becomes("SCAN_QR_CODE")
        assert "queue resume" in ((await desk.asks("queue pause")).content or "")
        for text in ("one", "two", "three"):
            await desk.waha_tells("message", desk.waha.incoming(text))
        assert "3 waiting, paused" in await _count(desk, "3 waiting")
        assert desk.customers() == []
        await at_rest()  # what is being put off at this moment would not be called
        await desk.asks("queue resume")
        await desk.chatwoot.until(lambda: len(desk.customers()) == 3)
        assert desk.customers() == ["one", "two", "three"]
        # Nothing of the talk with wagate was sent to anybody.
        assert desk.waha.sent == []


async def _count(desk: Office, wanted: str) -> str:
    """What ``queue status`` says, as soon as it says so."""
    pauses = itertools.chain((0.05, 0.2), itertools.repeat(1.0))  # Chatwoot takes 200 messages a minute
    with trio.fail_after(60):
        while wanted not in (said := (await desk.asks("queue status")).content or ""):
            await trio.sleep(next(pauses))
    return said
