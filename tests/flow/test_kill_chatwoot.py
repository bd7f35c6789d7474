"""kill -9 between WhatsApp and Chatwoot, both ways at once: nothing lost, in order, and what comes twice is counted."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import httpx2
import pytest
import trio

from tests.chatwoot_office import DOOR, KEY, phone
from tests.effort import effort
from tests.gateway import GatewayProcess, gateway
from wagate.testing.chatwoot import FakeChatwoot, Message
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KILLS = effort(4, 20)
"""Each of the four moments of `kill_again_and_again` once, at least."""
CHATS = 6


class Load:
    """Customers write and agents answer until it is enough."""

    def __init__(self, server: GatewayProcess, chatwoot: FakeChatwoot, waha: FakeWaha) -> None:
        self.server, self.chatwoot, self.waha = server, chatwoot, waha
        self.came: dict[str, list[str]] = defaultdict(list)
        """Chat → ids of messages that the gateway took, in order."""
        self.written: dict[str, list[Message]] = defaultdict(list)
        """Chat → what agents wrote, in order."""
        self.enough = False
        """Nobody writes any more."""
        self.over = False
        """Nor does anything come back."""
        self._acked = 0
        self._http = httpx2.AsyncClient(base_url=server.url, trust_env=False, verify=False, timeout=60)

    async def run(self) -> None:
        """Until it is over."""
        async with self._http, trio.open_nursery() as nursery:
            nursery.start_soon(self._ticks)
            for number in range(CHATS):
                nursery.start_soon(self._customer, phone(number))
                nursery.start_soon(self._agent, phone(number))

    async def _customer(self, chat: str) -> None:
        for number in itertools.count():
            if self.enough and number >= 3:
                return
            body = self.waha.incoming(f"{number}", sender=chat)
            await self._taken(self.waha.webhook("message", body, key=KEY))
            self.came[chat].append(body["id"])
            await trio.sleep(random.uniform(0.02, 0.25))

    async def _agent(self, chat: str) -> None:
        while not self.chatwoot.posted(chat):
            await trio.sleep(0.05)
        while not self.enough:
            text = f"{len(self.written[chat])}"
            self.written[chat].append(self.chatwoot.agent.writes(self.chatwoot.conversation(chat), text))
            await trio.sleep(random.uniform(0.1, 1.0))

    async def _ticks(self) -> None:
        """WAHA tells that each message was read."""
        while not self.over:
            for sent in self.waha.sent[self._acked :]:
                payload = {"id": sent["_id"], "from": sent["chatId"], "fromMe": True, "participant": None, "ack": 3}
                await self._taken(self.waha.webhook("message.ack", payload, key=KEY))
                self._acked += 1
            await trio.sleep(0.1)

    async def _taken(self, webhook: tuple[bytes, Mapping[str, str]]) -> None:
        """Again and again until it is answered with 2xx."""
        body, headers = webhook
        while True:
            try:
                if (await self._http.post("/webhooks/main", content=body, headers=dict(headers))).is_success:
                    return
            except httpx2.TransportError:
                pass
            await trio.sleep(0.1)


def sent(waha: FakeWaha, chat: str) -> list[str]:
    return [each["text"] for each in waha.sent if each["chatId"] == chat]


def red(message: Message) -> bool:
    """Chatwoot shows it as failed, as it does when its one webhook finds nobody."""
    return message.status == "failed"


async def until_settled(load: Load) -> None:
    """Everything that came is there, everything that was written has an outcome, and agents see which.

    What was sent is shown as read. The others, as many as have an unknown outcome, get no ticks.
    """
    with trio.move_on_after(120):
        while not (arrived(load) and await shown(load)):
            await trio.sleep(0.2)
        return
    rows = [(chat, each) for chat, written in load.written.items() for each in written if each.status != "read"]
    left = [(each.id, each.status, each.content in sent(load.waha, chat)) for chat, each in rows]
    pytest.fail(f"arrived: {arrived(load)}; not read (id, status, sent): {left}; {dict(await outcomes(load.server))}")


def arrived(load: Load) -> bool:
    """Whether Chatwoot has all that customers wrote."""
    there = {message.source_id for message in load.chatwoot.posted()}
    return all(there.issuperset(ids) for ids in load.came.values())


async def shown(load: Load) -> bool:
    """Whether agents see what became of all that they wrote."""
    written = [(chat, message) for chat, rows in load.written.items() for message in rows]
    not_read = [(chat, message) for chat, message in written if message.status != "read"]
    if not not_read:
        return True
    statuses = await outcomes(load.server)
    over = not {"queued", "sending"} & set(statuses) and statuses.total() >= len(written)
    lost = [message for chat, message in not_read if message.content not in sent(load.waha, chat)]
    return over and len(not_read) <= statuses["unknown"] and all(map(red, lost))


async def outcomes(server: GatewayProcess) -> Counter[str]:
    """Status → how many of the messages that the gateway sends."""
    found: Counter[str] = Counter()
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = (await server.http.get("/messages", params=query)).json()
        found.update(row["status"] for row in page["data"])
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


async def kill_again_and_again(load: Load) -> None:
    """As soon as may be, and in turn when it has just worked one way or the other, however slow it starts."""
    for number in range(KILLS):
        await until_moved(load.chatwoot.posted if number % 4 == 0 else lambda: load.waha.sent, number)
        await trio.sleep(random.uniform(0.02, 0.6))
        load.server.kill()
        await load.server.start()


async def until_moved(all_: Callable[[], Sequence[object]], number: int) -> None:
    """Every other time, wait until there are more than now."""
    before = len(all_())
    with trio.fail_after(60):
        while number % 2 == 0 and len(all_()) == before:
            await trio.sleep(0.02)


def assert_in(load: Load) -> int:
    """Customers' messages: all there, in order. How many are there twice."""
    twice = 0
    for chat, ids in load.came.items():
        posts = [message.source_id for message in load.chatwoot.posted(chat) if not message.private]
        assert [source for source, _ in groupby(posts)] == ids, chat
        twice += len(posts) - len(ids)
    return twice


def assert_out(load: Load, unknown: int) -> int:
    """Agents' messages: each once, in order. How many did not leave, with an unknown outcome that agents see."""
    lost = 0
    for chat, written in load.written.items():
        came = sent(load.waha, chat)
        assert came == sorted(set(came), key=int), chat
        missing = [message for message in written if message.content not in came]
        assert all(map(red, missing)), [message.status for message in missing]
        lost += len(missing)
    assert lost <= unknown
    return lost


async def test_kills_under_load_both_ways_lose_nothing_and_swap_nothing() -> None:
    chatwoot, waha = FakeChatwoot(), FakeWaha(api_key="k")
    chatwoot.latency, chatwoot.state.flood = 0.01, None
    async with running(chatwoot), running(waha):
        tables = {
            "accounts.main": {"provider": "waha", "base_url": waha.url, "api_key": "k", "hmac_key": KEY},
            "plugins.chatwoot.inboxes.desk": chatwoot.settings(accounts=["main"], status_conversation=False),
        }
        async with gateway(tables) as server:
            chatwoot.inbox.webhook_url = server.url + DOOR
            load = Load(server, chatwoot, waha)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run)
                await kill_again_and_again(load)
                load.enough = True
                await until_settled(load)
                load.over = True
            statuses = await outcomes(server)
            twice = assert_in(load)
            lost = assert_out(load, statuses["unknown"])
            shown = Counter(message.status for rows in load.written.values() for message in rows)
            print(
                f"\n{KILLS} kills; in: {sum(map(len, load.came.values()))} messages, {twice} twice; "
                f"out: {sum(map(len, load.written.values()))} messages, in order and once, "
                f"{lost} not sent with an outcome unknown, {dict(statuses)}, shown as {dict(shown)}"
            )
    assert twice == 0
