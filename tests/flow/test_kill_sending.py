"""kill -9 while messages go out: nothing accepted is lost, no chat is swapped, nothing reaches a phone twice."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import trio

from tests.effort import effort
from tests.gateway import TOKEN, GatewayProcess, gateway
from wagate.testing.providers.session import FakeSessions
from wagate.testing.server import Fault, Seen, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHATS = effort(20, 30)
AT_LEAST = effort(6, 15)
"""Messages of each chat; more while the kills go on."""
KILLS = effort(3, 10)
LATENCY = (0.005, 0.08)
"""Seconds between the engine's doing and its answer: where a kill leaves nobody knowing."""
FOR_EVER = 200.0
"""Seconds until the engine answers the first message, so that the first kill certainly comes before."""


@dataclass
class Senders:
    """Who sends through the gateway: one for each chat, who repeats a request until it is answered."""

    server: GatewayProcess
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Chat → our ids, in the order of the answers."""
    enough: bool = False
    refused: Counter[int] = field(default_factory=Counter)

    async def run(self) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": "respond-async"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            trio.open_nursery() as all_,
        ):
            for number in range(CHATS):
                all_.start_soon(self._chat, http, f"551190000{number:04}")

    async def _chat(self, http: httpx2.AsyncClient, phone: str) -> None:
        for place in itertools.count():
            if place >= AT_LEAST and self.enough:
                return
            body = {"account": "main", "to": phone, "message": {"type": "text", "text": f"{phone}:{place:04}"}}
            while (message_id := await self._submit(http, body)) is None:
                await trio.sleep(random.uniform(0.1, 0.4))
                while not await self.server.answers():  # Asking only that leaves the machine to the one that starts.
                    await trio.sleep(random.uniform(0.1, 0.3))
            self.ids[f"{phone}@c.us"].append(message_id)
            await trio.sleep(random.uniform(0.0, 0.5))

    async def _submit(self, http: httpx2.AsyncClient, body: dict[str, Any]) -> str | None:
        key = {"Idempotency-Key": body["message"]["text"]}
        try:
            answer = await http.post(f"{self.server.url}/messages/send", json=body, headers=key)
        except httpx2.TransportError:
            return None
        if not answer.is_success:
            self.refused[answer.status_code] += 1
            return None
        return str(answer.json()["id"])


async def messages(server: GatewayProcess) -> dict[str, dict[str, Any]]:
    """All messages of the gateway, by id."""
    found: dict[str, dict[str, Any]] = {}
    query: dict[str, Any] = {"limit": 200}
    while True:
        answer = await server.http.get("/messages", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.update({each["id"]: each for each in page["data"]})
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


async def until_all_over(server: GatewayProcess) -> dict[str, dict[str, Any]]:
    with trio.fail_after(300):
        while True:
            found = await messages(server)
            if not {"queued", "sending"} & {each["status"] for each in found.values()}:
                return found
            await trio.sleep(0.5)


async def test_kills_while_sending_lose_nothing_swap_nothing_and_send_nothing_twice() -> None:
    engine = FakeSessions(api_key="k")
    held = trio.Event()

    def chance(seen: Seen) -> Fault:
        if seen.path.startswith("/client/sendMessage/") and not held.is_set():
            held.set()
            return Fault(wait=FOR_EVER)
        return Fault(wait=random.uniform(*LATENCY))

    engine.chance = chance
    async with running(engine):
        account = {"provider": "session", "base_url": engine.url, "api_key": "k"}
        async with gateway({"accounts.main": account}) as server:
            senders = Senders(server)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(senders.run)
                with trio.fail_after(60):
                    await held.wait()
                for number in range(KILLS):
                    if number > 0:
                        await trio.sleep(random.uniform(0.1, 1.0))
                    server.kill()
                    await server.start()
                senders.enough = True
            found = await until_all_over(server)
    reached: dict[str, list[str]] = defaultdict(list)
    for body in engine.sent:
        reached[body["chatId"]].append(body["content"])
    statuses = Counter(each["status"] for each in found.values())
    print(f"\n{len(found)} messages, {KILLS} kills, {dict(statuses)}, {len(engine.sent)} reached the engine")
    assert set(statuses) <= {"sent", "unknown"}
    assert set(senders.refused) <= {409, 503}
    for chat, ids in senders.ids.items():
        sent = [found[each]["content"] for each in ids if found[each]["status"] == "sent"]
        maybe = {found[each]["content"] for each in ids if found[each]["status"] == "unknown"}
        assert reached[chat] == sorted(set(reached[chat])), f"{chat}: swapped, or twice"
        assert [text for text in reached[chat] if text not in maybe] == sent
    assert len(found) == sum(len(ids) for ids in senders.ids.values()) >= CHATS * AT_LEAST
    assert 0 < statuses["unknown"] <= KILLS * CHATS
