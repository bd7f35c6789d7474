"""A provider for tests: one webhook URL for several numbers, an HMAC of the body, a challenge."""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from unittest.mock import patch

import msgspec

from wagate.errors import ForbiddenError, UnauthorizedError
from wagate.events import NewEvent
from wagate.hooks import (
    Duration,
    Finding,
    InboundRequest,
    PluginContext,
    Provider,
    ProviderAccount,
    WebhookAnswer,
    hookimpl,
)
from wagate.hooks.specs import PROVIDERS
from wagate.parsing.chats import chat_key

SECRET = "an app secret of the fake"


class PigeonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the fake."""

    api_token: str
    app_secret: str = SECRET
    number_id: str = ""
    verify_token: str = ""
    base_url: str = "https://pigeon.example"
    timeout: Duration = Duration("10s")
    retries: Annotated[int, msgspec.Meta(ge=0, le=9)] = 3
    headers: dict[str, str] = {}
    tags: list[str] = []


def sign(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The header of a right request."""
    return {"X-Pigeon-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def letter(text: str, *, number: str = "", chat: str = "+5511999999999", key: str | None = None) -> dict[str, Any]:
    """One item of a body."""
    return {"id": text if key is None else key, "from": chat, "text": text, "number": number}


def body_of(*letters: dict[str, Any]) -> bytes:
    """A webhook's body."""
    return json.dumps({"letters": letters}).encode()


class Pigeon:
    """The plugin. What it is asked is noted."""

    def __init__(self, *, name: str = "pigeon") -> None:
        self.name = name
        self.urls: list[str] = []
        self.missed: dict[str, list[NewEvent]] = {}
        self.asked_since: list[tuple[str, datetime]] = []
        self.findings: Sequence[Finding] = ()
        self.contexts: list[PluginContext] = []

    def provider(self) -> Provider:
        """What it registers."""
        return Provider(
            name=self.name,
            title="Pigeon post",
            settings_type=PigeonSettings,
            secrets=frozenset({"api_token", "app_secret", "verify_token", "headers"}),
            common_keys={"api_key": "api_token", "api_secret": "app_secret", "phone_number_id": "number_id"},
            verify=self.verify,
            parse=self.parse,
            challenge=self.challenge,
            number=lambda account: account.settings.number_id,
            missed=self.lost,
            check=self.check,
        )

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        self.contexts.append(context)
        return [self.provider()]

    def verify(self, request: InboundRequest, account: ProviderAccount) -> None:
        self.urls.append(request.url)
        expected = sign(request.body, account.settings.app_secret)["X-Pigeon-Signature"]
        if not hmac.compare_digest(request.headers.get("x-pigeon-signature", "").encode(), expected.encode()):
            raise UnauthorizedError("the signature is not of this body and the account's app_secret")

    def parse(self, request: InboundRequest, _account: ProviderAccount) -> list[NewEvent]:
        return [
            NewEvent(
                kind="message",
                provider_id=str(each["id"]),
                message_id=str(each["id"]),
                chat=chat_key(each["from"]),
                sender=chat_key(each["from"]),
                type="text",
                content=each["text"],
                number=each.get("number", ""),
            )
            for each in request.json()["letters"]
        ]

    def challenge(self, request: InboundRequest, account: ProviderAccount) -> WebhookAnswer:
        if request.query.get("token") != account.settings.verify_token:
            raise ForbiddenError("the verify token is another one")
        return WebhookAnswer(body=request.query.get("challenge", "").encode(), content_type="text/html")

    async def lost(self, account: ProviderAccount, since: datetime) -> AsyncIterator[NewEvent]:
        self.asked_since.append((account.name, since))
        for event in self.missed.get(account.name, []):
            yield event

    async def check(self, _account: ProviderAccount) -> Sequence[Finding]:
        return self.findings


@dataclass(frozen=True)
class Point:
    """An entry point whose object is at hand."""

    name: str
    found: object
    value: str = "tests.fake_provider"
    dist: None = None

    def load(self) -> object:
        """The object; an exception is raised."""
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@contextmanager
def installed(**found: object) -> Iterator[None]:
    """These providers are installed, beside those that really are."""
    points = [Point(name, each) for name, each in found.items()]

    def entry_points(*, group: str) -> list[Any]:
        real = list(importlib.metadata.entry_points(group=group))
        return [*real, *points] if group == PROVIDERS else real

    with patch("wagate.plugins.loader.entry_points", entry_points):
        yield
