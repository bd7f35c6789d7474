"""Several inboxes for one number, and several numbers in one inbox, through a whole gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from tests.chatwoot_office import ANA, KEY, PATIENCE
from tests.inprocess import Gateway, running_gateway
from wagate.clock import Clock
from wagate.testing.chatwoot import FakeChatwoot, faults
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Fault, Reply, Seen, running

NUMBERS = ("sales", "help")


@dataclass
class Offices:
    """Two Chatwoots: ``one`` shows the number ``sales``, ``both`` shows ``sales`` and ``help``."""

    gateway: Gateway
    one: FakeChatwoot
    both: FakeChatwoot
    phones: dict[str, FakeWaha]

    async def comes(self, text: str, number: str) -> str:
        """Ana writes to one of the numbers; the message's id."""
        waha = self.phones[number]
        body = waha.incoming(text, sender=ANA) | {"timestamp": int(self.gateway.clock.time())}
        raw, headers = waha.webhook("message", body, key=KEY)
        url = f"/webhooks/{number}"
        answer = await self.gateway.http.post(url, content=raw, headers={**headers, "Authorization": ""})
        assert answer.status_code == 200, answer.text
        return str(body["id"])

    def sent(self, number: str) -> list[str]:
        return [each["text"] for each in self.phones[number].sent if "text" in each]


@asynccontextmanager
async def offices() -> AsyncIterator[Offices]:
    clock = Clock()
    one, both = FakeChatwoot(now=clock.time), FakeChatwoot(now=clock.time)
    one.habits.timeout = both.habits.timeout = PATIENCE
    phones = {name: FakeWaha(api_key="k") for name in NUMBERS}
    async with running(one), running(both), running(phones["sales"]), running(phones["help"]):
        tables: dict[str, Any] = {
            f"accounts.{name}": {"provider": "waha", "base_url": waha.url, "api_key": "k", "hmac_key": KEY}
            for name, waha in phones.items()
        }
        tables |= {
            "delivery": {"allow_networks": ["127.0.0.0/8"]},
            "plugins.chatwoot.inboxes.one": one.settings(accounts=["sales"], status_conversation=False),
            "plugins.chatwoot.inboxes.both": both.settings(accounts=[*NUMBERS], status_conversation=False),
        }
        async with running_gateway(tables, clock=clock) as gateway:
            one.inbox.webhook_url = f"{gateway.url}/webhooks/chatwoot/sales/one"
            both.inbox.webhook_url = f"{gateway.url}/webhooks/chatwoot/sales/both"
            yield Offices(gateway, one, both, phones)


def away(seen: Seen) -> Fault | None:
    return Fault(reply=Reply(status=502, body=faults.BAD_GATEWAY)) if seen.path.startswith("/api/") else None


async def test_two_inboxes_show_one_number_and_one_that_is_away_does_not_delay_the_other() -> None:
    async with offices() as here:
        here.one.chance = away
        ids = [await here.comes(f"{number}", "sales") for number in range(3)]
        await here.both.until_posted(3)
        assert [each.source_id for each in here.both.posted()] == ids
        assert here.one.posted() == []
        here.one.chance = lambda _seen: None
        await here.gateway.passes_until(lambda: len(here.one.posted()) == 3, step=5, most=900)
        assert [each.source_id for each in here.one.posted()] == ids


async def test_what_an_agent_writes_in_one_inbox_appears_once_in_the_other_and_is_sent_once() -> None:
    async with offices() as here:
        await here.comes("hello", "sales")
        await here.one.until_posted(1)
        await here.both.until_posted(1)
        here.one.agent.writes(here.one.posted()[0].conversation, "how can I help?")
        await here.both.until_posted(2)
        await here.both.webhooks.settled()
        await here.one.webhooks.settled()
        echo = here.both.posted()[-1]
        assert (echo.content, echo.message_type, echo.source_id) == (
            "how can I help?",
            "outgoing",
            here.phones["sales"].sent[0]["_id"],
        )
        assert here.sent("sales") == ["how can I help?"]
        assert [each.content for each in here.one.posted()] == ["hello"]


async def test_chats_of_two_numbers_in_one_inbox_are_kept_apart_and_answered_from_their_own() -> None:
    async with offices() as here:
        await here.comes("to sales", "sales")
        await here.both.until_posted(1)
        await here.comes("to help", "help")
        await here.both.until_posted(2)
        sales, helping = (each.conversation for each in here.both.posted())
        assert sales is not helping
        assert sales.contact is helping.contact
        here.both.agent.writes(helping, "from help")
        here.both.agent.writes(sales, "from sales")
        with trio.fail_after(60):
            while not (here.sent("help") and here.sent("sales")):
                await trio.sleep(0.01)
        assert (here.sent("help"), here.sent("sales")) == (["from help"], ["from sales"])
        await here.one.until_posted(2)
        assert [each.content for each in here.one.posted()] == ["to sales", "from sales"]
