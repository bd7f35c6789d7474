"""Infobip's API as a server on this machine: takes messages and read marks, gives files out, sends webhooks.

Shapes: Infobip's API reference (OpenAPI 3.210.0). Faults: `FakeInfobip.server`, see `wagate.testing.server`.
"""

from __future__ import annotations

import base64
import hmac
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import msgspec

from wagate.http import HttpClient
from wagate.testing.server import FakeServer, Reply, Seen, running

RECEIVED_AT = "2025-01-01T10:10:00.000+0000"
"""When every message came in, in the form of Infobip's own dates."""
PENDING = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "On its way"}
DUPLICATE = {"groupId": 5, "groupName": "REJECTED", "id": 23, "name": "REJECTED_DUPLICATE_MESSAGE_ID"}
NO_ERROR = {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "description": "No Error", "permanent": False}
TO_OPERATOR = {"groupId": 3, "groupName": "DELIVERED", "id": 2, "name": "DELIVERED_TO_OPERATOR"}
TO_HANDSET = {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"}
NOT_DELIVERED = {"groupId": 2, "groupName": "UNDELIVERABLE", "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED"}


class FakeInfobip:
    """``url`` is the ``base_url`` of accounts. A message id that was used before is refused, and sends nothing."""

    def __init__(self, *, api_key: str = "infobip-key-of-the-fake", sender: str = "447700900100") -> None:
        """What an account's settings must say."""
        self.api_key, self.sender = api_key, sender
        self.server = FakeServer(self._answer)
        self.messages: dict[str, dict[str, Any]] = {}
        """Bodies of messages that reached the phone, by their id, in the order they came; ``path`` is added."""
        self.refusal: tuple[dict[str, Any], dict[str, Any]] | None = None
        """(status, error) that every message is refused with, in a 200."""
        self.judge: Callable[[str, dict[str, Any]], Sequence[str]] = _no_judge
        """What is wrong with a request, by its path and body; it is then refused. Its OpenAPI document can tell."""
        self.read: list[str] = []
        """Ids of messages marked as read."""
        self.events: list[dict[str, Any]] = []
        """Typing indicators."""
        self.held: dict[str, tuple[bytes, str]] = {}
        """Files by media id: content and MIME type."""
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url

    def hold(self, content: bytes, mimetype: str) -> str:
        """Keep a file as one that came in; its URL."""
        media_id = f"{next(self._numbers):024x}"
        self.held[media_id] = (content, mimetype)
        return f"{self.url}/whatsapp/1/senders/{self.sender}/media/{media_id}"

    # What it answers

    async def _answer(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"App {self.api_key}":
            return failed(401, "UNAUTHORIZED", "Invalid login details")
        parts = [unquote(part) for part in seen.path.strip("/").split("/")]
        found = self._posted(parts, seen) if seen.method == "POST" else self._asked(parts, seen)
        return found or failed(404, "NOT_FOUND", "Requested URL not found")

    def _posted(self, parts: list[str], seen: Seen) -> Reply | None:
        match parts:
            case ["whatsapp", "1", "message", *path]:
                body = msgspec.json.decode(seen.body)
                faults = self.judge(seen.path, body)
                return refused(faults) if faults else self._message("/".join(path), body)
            case ["whatsapp", "1", "senders", self.sender, "message", message_id, "read"]:
                self.read.append(message_id)
                return Reply()
            case ["whatsapp", "1", "events"]:
                if faults := self.judge(seen.path, msgspec.json.decode(seen.body)):
                    return refused(faults)
                self.events += msgspec.json.decode(seen.body)["events"]
                return Reply(json={"bulkId": "1"})
        return None

    def _asked(self, parts: list[str], seen: Seen) -> Reply | None:
        match parts:
            case ["whatsapp", "1", "senders", self.sender, "media", media_id] if media_id in self.held:
                content, mimetype = self.held[media_id]
                return Reply(body=content, headers={"content-type": mimetype})
            case ["whatsapp", "1", "senders", "quality"]:
                rows = [{"sender": self.sender, "qualityRating": "HIGH", "status": "CONNECTED"}]
                return Reply(json={"results": rows if seen.query.get("senders") == self.sender else []})
        return None

    def _message(self, path: str, body: dict[str, Any]) -> Reply:
        if path == "template":
            infos = [self._take(path, each) for each in body["messages"]]
            return Reply(json={"messages": infos, "bulkId": "2034072219640523073"})
        if path == "text" and not 1 <= len(body["content"]["text"]) <= 4096:
            return failed(400, "BAD_REQUEST", "Bad request", {"content.text": ["size must be between 1 and 4096"]})
        if body["from"] != self.sender:
            return failed(403, "FORBIDDEN", "The sender is not yours")
        return Reply(json=self._take(path, body))

    def _take(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        message_id = body.get("messageId") or f"made-{next(self._numbers)}"
        info: dict[str, Any] = {"to": body["to"], "messageCount": 1, "messageId": message_id, "status": PENDING}
        if self.refusal is not None:
            status, error = self.refusal
            return info | {"status": status, "error": error}
        if message_id in self.messages:
            return info | {"status": DUPLICATE}
        self.messages[message_id] = {**body, "path": path}
        return info

    # What it sends

    def incoming(self, *messages: dict[str, Any], sender: str = "5511988880001", name: str = "Bia") -> dict[str, Any]:
        """The webhook of messages from one person: ``{"type": "TEXT", "text": …}``, each with an id of its own."""
        results = [self.item(message, sender=sender, name=name) for message in messages]
        return {"results": results, "messageCount": len(results), "pendingMessageCount": 0}

    def item(self, message: dict[str, Any], *, sender: str = "5511988880001", name: str = "Bia") -> dict[str, Any]:
        """One inbound item of ``results``."""
        return {
            "from": sender,
            "to": self.sender,
            "integrationType": "WHATSAPP",
            "receivedAt": RECEIVED_AT,
            "messageId": f"wamid.IN{next(self._numbers):08}==",
            "message": message,
            "price": {"pricePerMessage": 0, "currency": "EUR"},
            "contact": {"name": name, "phoneNumber": sender},
        }

    def delivery(
        self, message_id: str, status: dict[str, Any] = TO_HANDSET, error: dict[str, Any] = NO_ERROR
    ) -> dict[str, Any]:
        """The webhook of a delivery report of one of ``messages``."""
        message = self.messages.get(message_id, {"to": "5511988880001"})
        report = {
            "bulkId": "1",
            "messageId": message_id,
            "to": message["to"],
            "sentAt": "2025-01-01T10:10:01.000+0000",
            "doneAt": "2025-01-01T10:10:02.000+0000",
            "messageCount": 1,
            "status": status,
            "error": error,
        }
        carried = {"callbackData": message["callbackData"]} if "callbackData" in message else {}
        return {"results": [report | carried]}

    def seen(self, message_id: str) -> dict[str, Any]:
        """The webhook of a seen report."""
        to = self.messages.get(message_id, {"to": "5511988880001"})["to"]
        times = {"sentAt": "2025-01-01T10:10:01.000+0000", "seenAt": "2025-01-01T10:10:03.000+0000"}
        return {"results": [{"messageId": message_id, "from": self.sender, "to": to, **times}]}

    async def post(self, url: str, document: Mapping[str, Any], headers: Mapping[str, str], *, http: HttpClient) -> int:
        """Send a webhook there, with what shows that it is Infobip's; the answer's status."""
        body = msgspec.json.encode(document)
        content_type = {"Content-Type": "application/json"}
        answer = await http.request("POST", url, headers={**content_type, **headers}, content=body, trust="operator")
        return answer.status


def by_password(username: str, password: str) -> dict[str, str]:
    """The header of security type BASIC."""
    return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


def by_hmac(
    header: str, secret: str, body: bytes, *, algorithm: str = "sha256", encoding: str = "hex"
) -> dict[str, str]:
    """The header of security type HMAC over the raw body."""
    digest = hmac.digest(secret.encode(), body, algorithm)
    return {header: digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()}


def _no_judge(_path: str, _body: dict[str, Any]) -> Sequence[str]:
    return ()


def refused(faults: Sequence[str]) -> Reply:
    """A request that is not as it must be: ``place: what is wrong`` of each fault."""
    parted = (fault.partition(": ") for fault in faults)
    return failed(400, "BAD_REQUEST", "Bad request", {place: [what] for place, _, what in parted})


def failed(status: int, code: str, text: str, faults: Mapping[str, list[str]] | None = None) -> Reply:
    """An error in Infobip's words."""
    told: dict[str, Any] = {"messageId": code, "text": text, **({"validationErrors": faults} if faults else {})}
    return Reply(status=status, json={"requestError": {"serviceException": told}})


@asynccontextmanager
async def fake_infobip(fake: FakeInfobip | None = None) -> AsyncIterator[FakeInfobip]:
    """A fake that listens while the context is open."""
    fake = fake or FakeInfobip()
    async with running(fake.server):
        yield fake
