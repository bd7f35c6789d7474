"""A gateway between a fake WAHA and a fake Chatwoot: customers on one side, agents on the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from tests.chatwoot_spec import assert_requests_valid
from tests.inprocess import Gateway, running_gateway
from tests.strict_fakes import strict_waha
from wagate.clock import Clock
from wagate.testing.chatwoot import Conversation, FakeChatwoot, Message
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running

KEY = "hmac key of the test"
DOOR = "/webhooks/chatwoot/main/desk"
ANA = "19990000000@c.us"
PATIENCE = 60.0
"""Seconds for one webhook, in place of Chatwoot's five: a machine that stands still for a moment fails no message."""
Json = dict[str, Any]


def phone(number: int) -> str:
    """The n-th customer."""
    return f"1999000{number:04}@c.us"


@dataclass
class Office:
    """All three, running."""

    gateway: Gateway
    chatwoot: FakeChatwoot
    waha: FakeWaha
    written: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Chat → ids of what came in, in order."""

    async def waha_says(self, webhook: tuple[bytes, Mapping[str, str]], expected: int = 200) -> None:
        """One webhook of WAHA's, taken in."""
        body, headers = webhook
        answer = await self.gateway.http.post("/webhooks/main", content=body, headers={**headers, "Authorization": ""})
        assert answer.status_code == expected, answer.text

    async def comes(self, text: str, chat: str = ANA, **payload: Any) -> str:
        """A customer writes; the message's id."""
        body = self.waha.incoming(text, sender=chat) | {"timestamp": self.now()} | payload
        await self.waha_says(self.waha.webhook("message", body, key=KEY))
        self.written[chat].append(body["id"])
        return str(body["id"])

    def now(self) -> int:
        """Unix seconds: what is older than ten minutes is shown with its date."""
        return int(self.gateway.clock.time())

    async def ack(self, message_id: str, number: int, chat: str = ANA) -> None:
        """WAHA tells how far a message of ours got: -1 error, 1 server, 2 device, 3 read."""
        payload = {"id": message_id, "from": chat, "fromMe": True, "participant": None, "ack": number}
        await self.waha_says(self.waha.webhook("message.ack", payload, key=KEY))

    async def talk(self, chat: str = ANA, text: str = "hello") -> Conversation:
        """The conversation of a customer who wrote first."""
        before = len(self.chatwoot.posted())
        await self.comes(text, chat)
        await self.chatwoot.until_posted(before + 1)
        await self.chatwoot.webhooks.settled()
        return self.chatwoot.posted()[-1].conversation

    async def until(self, there: Callable[[], bool], seconds: float = 60.0) -> None:
        """Look again and again; on both sides things happen that no one event tells of."""
        with trio.fail_after(seconds):
            while not there():
                await trio.sleep(0.01)

    async def until_sent(self, count: int, seconds: float = 60.0) -> None:
        """Wait until WhatsApp has taken so many messages."""
        await self.waha.until(lambda: len(self.waha.sent) >= count, seconds)

    def sent(self, chat: str = ANA) -> list[str]:
        """Texts that WhatsApp took for a chat, in order."""
        return [each["text"] for each in self.waha.sent if each["chatId"] == chat and "text" in each]

    def sources(self, chat: str = ANA) -> list[str | None]:
        """source_ids of what the connector posted of a chat, in Chatwoot's order."""
        return [each.source_id for each in self.posts(chat)]

    def posts(self, chat: str = ANA) -> list[Message]:
        """What the connector posted of a chat, without private notes."""
        return [each for each in self.chatwoot.posted(chat) if not each.private]

    def status_of(self, message: Message) -> tuple[str, str | None]:
        """A message's tick in Chatwoot, and the reason beside it."""
        return message.status, message.content_attributes.get("external_error")


@asynccontextmanager
async def office(
    *,
    clock: Clock | None = None,
    account: Mapping[str, Any] | None = None,
    delivery: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Office]:
    """``settings`` are the inbox's, ``account`` and ``delivery`` more of these tables.

    At the end every request must have fitted Chatwoot's document, if that is here.
    """
    clock = clock or Clock()
    chatwoot, waha = FakeChatwoot(now=clock.time), strict_waha(FakeWaha(api_key="k"))
    chatwoot.habits.timeout = PATIENCE
    async with running(chatwoot), running(waha):
        tables: dict[str, Mapping[str, Any]] = {
            "accounts.main": {"provider": "waha", "base_url": waha.url, "api_key": "k", "hmac_key": KEY}
            | dict(account or {}),
            "delivery": {"allow_networks": ["127.0.0.0/8"], **(delivery or {})},
            "plugins.chatwoot.inboxes.desk": chatwoot.settings(
                accounts=["main"], status_conversation=False, **settings
            ),
        }
        async with running_gateway(tables, clock=clock) as gateway:
            chatwoot.inbox.webhook_url = gateway.url + DOOR
            yield Office(gateway, chatwoot, waha)
    assert_requests_valid(chatwoot)
