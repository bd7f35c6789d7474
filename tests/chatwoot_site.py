"""A client of the fake Chatwoot and a receiver of its webhooks, for tests of the fake itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from wagate.testing.chatwoot import Conversation, FakeChatwoot
from wagate.testing.server import FakeServer, Reply, Seen, running

SOURCE = "19990000000@c.us"
Json = dict[str, Any]


class Receiver(FakeServer):
    """Answers every webhook with ``status``."""

    def __init__(self) -> None:
        super().__init__(self._reply)
        self.status = 200

    async def _reply(self, _seen: Seen) -> Reply:
        return Reply(status=self.status)

    def came(self, event: str = "") -> list[Json]:
        """Bodies of the webhooks that came, of one kind or all."""
        return [seen.json for seen in self.seen if event in {"", seen.json["event"]}]


@dataclass
class Site:
    """A running fake, a client with an agent's token, and where its webhooks go."""

    fake: FakeChatwoot
    http: httpx2.AsyncClient
    receiver: Receiver

    async def ask(self, method: str, path: str, expected: int = 200, **options: Any) -> Any:
        """What the API answers below the account, with this status."""
        answer = await self.http.request(method, path, **options)
        assert answer.status_code == expected, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else answer.text

    async def contact(self, expected: int = 200, **fields: Any) -> Any:
        """A new contact in the inbox."""
        body = {"inbox_id": 7, "source_id": SOURCE, "name": "Ana", "phone_number": "+19990000000"} | fields
        return await self.ask("POST", "contacts", expected, json=body)

    async def conversation(self, **fields: Any) -> Conversation:
        """A new contact with a conversation."""
        made = await self.contact(**fields)
        contact = made["payload"]["contact"]["id"]
        source = made["payload"]["contact_inbox"]["source_id"]
        body = {"inbox_id": 7, "contact_id": contact, "source_id": source}
        found = await self.ask("POST", "conversations", json=body)
        return self.fake.state.conversation(self.fake.account, found["id"])

    async def post(self, conversation: Conversation, expected: int = 200, **fields: Any) -> Any:
        """A message over the API."""
        body = {"content": "oi", "message_type": "incoming"} | fields
        return await self.ask("POST", f"conversations/{conversation.id}/messages", expected, json=body)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Both servers, running."""
    fake, receiver = FakeChatwoot(), Receiver()
    async with running(receiver), running(fake):
        fake.inbox.webhook_url = receiver.url
        fake.habits.timeout = 60.0  # a machine that stands still for Chatwoot's five seconds fails no message
        base = f"{fake.url}/api/v1/accounts/1/"
        headers = {"api_access_token": fake.user.token}
        async with httpx2.AsyncClient(
            base_url=base, headers=headers, trust_env=False, verify=False, timeout=60
        ) as http:
            yield Site(fake, http, receiver)
