"""A thousand messages through a provider that fails: no chat reordered, nothing twice, every doubt accounted for."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio

from tests.effort import effort
from tests.sending import FakeProvider, Post, open_post
from wagate.consumers import Policy
from wagate.errors import NotSentError
from wagate.hooks import Outgoing, OutMessage, Sent
from wagate.http.client import HttpClient
from wagate.http.guard import Guard
from wagate.testing.server import FakeServer, Fault, Reply, Seen, running

pytest_plugins = ("tests.valkey",)
pytestmark = pytest.mark.slow

CHATS = 50
EACH = effort(8, 20)
"""Messages of each chat."""
BUSY, LOST = 0.10, 0.02
PATIENCE = 60.0
"""Seconds that the provider's client waits for an answer: a machine that stands still is not an answer that is lost."""
SILENCE = 3.0
"""Seconds that it waits for an answer that will not come."""


class HttpPigeon(FakeProvider):
    """Sends over real HTTP; what fails is decided before, once for each message."""

    def __init__(self, *, idempotent: bool) -> None:
        super().__init__(idempotent=idempotent)
        self.server = FakeServer(self.answer)
        self.server.chance = self.fault
        self.accepted: list[tuple[str, str, str]] = []
        """(id, chat, text) of what reached the phone, in order."""
        self.faults: Counter[str] = Counter()
        self._fates: dict[str, str] = {}
        """What happens to each message when it comes for the first time; then ''."""
        self._random = random.Random(20250120)
        self._http = HttpClient(guard=Guard(allow_networks=(ip_network("127.0.0.0/8"),)), allow_http=True)

    async def answer(self, seen: Seen) -> Reply:
        body = seen.json
        if not (self.idempotent and body["id"] in {each[0] for each in self.accepted}):
            self.accepted.append((body["id"], body["chat"], body["text"]))
        return Reply(json={"id": f"wamid.{body['id']}"})

    def fault(self, seen: Seen) -> Fault | None:
        message_id = seen.json["id"]
        fate, self._fates[message_id] = self._fates[message_id], ""
        if not fate:
            return None
        self.faults[fate] += 1
        return Fault(reply=Reply(status=503)) if fate == "busy" else Fault(accept=True, wait=3600)

    def _fate(self, message_id: str) -> str:
        """What will happen to it, or ''."""
        if message_id not in self._fates:
            chance = self._random.random()
            self._fates[message_id] = "busy" if chance < BUSY else "lost" if chance < BUSY + LOST else ""
        return self._fates[message_id]

    async def send(self, outgoing: Outgoing) -> Sent:
        message = outgoing.message
        body = b'{"id":"%s","chat":"%s","text":"%s"}' % tuple(
            text.encode() for text in (outgoing.id, message.chat, message.text)
        )
        patience = SILENCE if self._fate(outgoing.id) == "lost" else PATIENCE
        answer = await self._http.request("POST", self.server.url, content=body, timeout=patience)
        if answer.status == 503:
            raise NotSentError("Server error (503)", http_status=503)
        return Sent(message_id=f"wamid.{outgoing.id}", http_status=answer.status)


async def submit_all(post: Post) -> dict[str, list[str]]:
    """Every chat's messages in order, the chats at once; chat → ids."""
    ids: dict[str, list[str]] = defaultdict(list)

    async def one(chat: str) -> None:
        for number in range(EACH):
            message = OutMessage(chat=chat, type="text", text=str(number))
            ids[chat].append((await post.outbox.send(message, client_id=1)).id)

    async with trio.open_nursery() as nursery:
        for number in range(CHATS):
            nursery.start_soon(one, f"551190000{number:04}@c.us")
    return ids


async def finish(post: Post) -> None:
    """Until nothing is open; time passes quickly, so that retries come."""
    with trio.fail_after(240):
        while await post.world.sql("SELECT 1 FROM messages WHERE status IN ('queued', 'sending') LIMIT 1"):
            await trio.sleep(0.2)
            post.world.clock.shift(2.0)


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
async def test_no_chat_is_reordered_nothing_is_sent_twice_and_every_doubt_is_counted(
    idempotent: bool, external_url: str, tmp_path: Path
) -> None:
    pigeon = HttpPigeon(idempotent=idempotent)
    policy = Policy(max_retries=8)
    async with running(pigeon.server), open_post(external_url, tmp_path, provider=pigeon, policy=policy) as post:
        async with post.running():
            ids = await submit_all(post)
            await finish(post)
        statuses = Counter(status for (status,) in await post.world.sql("SELECT status FROM messages"))
    assert pigeon.faults["busy"] > CHATS * EACH * BUSY / 2
    assert pigeon.faults["lost"] > CHATS * EACH * LOST / 2
    came = defaultdict(list)
    for message_id, chat, _ in pigeon.accepted:
        came[chat].append(message_id)
    assert came == ids  # each once, each chat in order, none missing
    lost = 0 if idempotent else pigeon.faults["lost"]
    assert statuses == Counter({"sent": CHATS * EACH - lost, "unknown": lost})
