"""A provider that redelivers: one sender for each chat, which repeats a message until it is answered 2xx."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import trio

from tests.gateway import TOKEN, GatewayProcess

OURS = "5511888888888"
PATIENCE = 60.0
"""Seconds after which a request counts as lost."""
Paused = tuple[float, float]
"""Least and most seconds."""


@dataclass
class Chat:
    """One chat: through which door its messages come, and which were accepted, in that order."""

    number: int
    doors: Iterator[GatewayProcess]
    """Whom to ask next."""
    accepted: list[str] = field(default_factory=list)
    """Texts answered 2xx, in the order of the answers; the text is the message's id, too."""

    @property
    def by_session(self) -> bool:
        """Every other chat comes by a session webhook, the others in the engine's own format."""
        return self.number % 2 == 1

    def text(self, place: int) -> str:
        """What its n-th message says."""
        return f"{self.number:03}:{place:04}"

    def request(self, text: str) -> tuple[str, bytes]:
        """Path and body of one message."""
        phone = f"551190000{self.number:04}"
        if not self.by_session:
            body: dict[str, Any] = {"from": phone, "to": OURS, "message": text, "message_id": text}
            return "/webhook/inbound", json.dumps(body | {"tenant_id": "default"}).encode()
        message = {"id": text, "body": text, "from": f"{phone}@c.us", "to": f"{OURS}@c.us", "type": "chat"}
        body = {"event": "message", "data": {"message": message}}
        return "/api/whatsapp/webhook/phone", json.dumps(body).encode()


class Provider:
    """Sends to one gateway, or to several in turn, until it is told that it was enough."""

    def __init__(
        self,
        *gateways: GatewayProcess,
        chats: int,
        at_least: int,
        pause: Paused = (0.0, 0.0),
        keep_alive: bool = True,
    ) -> None:
        """``at_least``: messages of each chat. ``pause``: between two messages of a chat.

        A gateway that stood still closes connections that were idle for it, also when a request has just been sent
        over one: without ``keep_alive``, each request has a connection of its own, and is answered.
        """
        self._gateways = gateways
        self.chats = [Chat(number, _in_turn(gateways, number)) for number in range(chats)]
        self.refused: Counter[int] = Counter()
        """Answers that were not 2xx, by status."""
        self.unanswered = 0
        """Requests that got no answer."""
        self.answered = trio.Event()
        """Set at the next answer, whatever it is; then replaced."""
        self._at_least = at_least
        self._pause = pause
        self._enough = False
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None if keep_alive else 0)
        self._http = httpx2.AsyncClient(
            limits=limits,
            timeout=PATIENCE,
            trust_env=False,
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )

    @property
    def accepted(self) -> int:
        """Messages answered 2xx."""
        return sum(len(chat.accepted) for chat in self.chats)

    def finish(self) -> None:
        """It was enough: `send` returns when each chat has sent at least what it should."""
        self._enough = True

    async def send(self) -> None:
        """Send in all chats at once, in each one message after the other."""
        async with self._http, trio.open_nursery() as nursery:
            for chat in self.chats:
                nursery.start_soon(self._send_in, chat)

    async def until_accepted(self, count: int) -> None:
        """Wait until so many messages were accepted."""
        with trio.fail_after(60):
            while self.accepted < count:
                await self.answered.wait()

    async def _send_in(self, chat: Chat) -> None:
        for place in itertools.count():
            if place >= self._at_least and self._enough:
                return
            text = chat.text(place)
            while not await self._accepts(chat, text):
                await self._somebody_listens()
            chat.accepted.append(text)
            await trio.sleep(random.uniform(*self._pause))

    async def _somebody_listens(self) -> None:
        """A moment, and as long as no gateway listens: asking only that leaves the machine to the one that starts."""
        await trio.sleep(random.uniform(0.3, 0.9))
        while not any([await each.answers() for each in self._gateways]):
            await trio.sleep(random.uniform(0.1, 0.3))

    async def _accepts(self, chat: Chat, text: str) -> bool:
        path, body = chat.request(text)
        try:
            answer = await self._http.post(next(chat.doors).url + path, content=body)
        except httpx2.TransportError:
            self.unanswered += 1
            return False
        if not answer.is_success:
            self.refused[answer.status_code] += 1
        told, self.answered = self.answered, trio.Event()
        told.set()
        return answer.is_success


def _in_turn(gateways: Sequence[GatewayProcess], number: int) -> Iterator[GatewayProcess]:
    """Chats begin at different gateways."""
    return itertools.islice(itertools.cycle(gateways), number % len(gateways), None)
