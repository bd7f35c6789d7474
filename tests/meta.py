"""Accounts and webhooks of Meta and 360dialog, and their providers, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec

from wagate.events import NewEvent
from wagate.hooks import InboundRequest, OutFile, Outgoing, OutMessage, Provider, ProviderAccount
from wagate.http import HttpClient
from wagate.testing import fake_context
from wagate.testing.providers.meta import FakeMeta
from wagate_dialog360 import Dialog360Settings
from wagate_dialog360 import plugin as dialog360_plugin
from wagate_meta import plugin as meta_plugin
from wagate_meta.parse import parse
from wagate_meta.settings import MetaSettings

SETTINGS = MetaSettings(
    access_token="EAAtest0000000001",
    phone_number_id="100000000000001",
    app_secret="app-secret-of-the-fake",
    verify_token="verify-me",
)
PHONE, OURS = "15550002222", "15550001111"
THEM = f"{PHONE}@c.us"


def account(settings: Any = SETTINGS, **fields: Any) -> ProviderAccount:
    """An account named shop; settings of its provider."""
    values: dict[str, Any] = {"phone": OURS, "webhook_secret": "", "webhook_url": "", "trust": "operator"}
    return ProviderAccount(name="shop", settings=settings, **(values | fields))


def request(
    body: bytes = b"", headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> InboundRequest:
    """A request as the door hands it on."""
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    url, method = "https://x.example/webhooks/shop", "POST" if body else "GET"
    return InboundRequest(method=method, url=url, query=query or {}, headers=lower, body=body)


def events(document: Any) -> list[NewEvent]:
    """What a webhook is parsed to."""
    return parse(request(msgspec.json.encode(document)), account())


def webhook(value: dict[str, Any], *, field: str = "messages") -> dict[str, Any]:
    """The envelope around one change."""
    return FakeMeta().webhook(value, field=field)


def one(message: dict[str, Any], **contact: Any) -> NewEvent:
    """The one event of one message from `PHONE` (fields of ``message`` win)."""
    person = {"profile": {"name": "Ana"}, "wa_id": PHONE, **contact}
    item = {"from": PHONE, "id": "wamid.1", "timestamp": "1750000000", **message}
    [event] = events(webhook({"contacts": [person], "messages": [item]}))
    return event


def outgoing(to: ProviderAccount, *, file: OutFile | None = None, **message: Any) -> Outgoing:
    """A message to `THEM`; a text unless said otherwise."""
    values = {"chat": THEM, "type": "text"} | message
    if values["type"] == "text":
        values.setdefault("text", "Hello")
    return Outgoing(id="01900000-0000-7000-8000-000000000001", message=OutMessage(**values), account=to, file=file)


@asynccontextmanager
async def meta_provider() -> AsyncIterator[Provider]:
    """The provider ``meta`` with the real HTTP client."""
    async with _provider(meta_plugin) as provider:
        yield provider


@asynccontextmanager
async def dialog360_provider() -> AsyncIterator[Provider]:
    """The provider ``dialog360`` with the real HTTP client."""
    async with _provider(dialog360_plugin) as provider:
        yield provider


@asynccontextmanager
async def _provider(plugin: Any) -> AsyncIterator[Provider]:
    http = HttpClient()
    [provider] = plugin.register_providers(context=replace(fake_context("test").context, http=http))
    try:
        yield provider
    finally:
        await http.aclose()


def at(fake: FakeMeta, **settings: Any) -> ProviderAccount:
    """The account whose API is the fake."""
    known = {"access_token": fake.token, "phone_number_id": fake.phone_number_id, "app_secret": fake.app_secret}
    return account(MetaSettings(**(known | {"verify_token": "verify-me", "base_url": fake.url} | settings)))


def at_dialog360(fake: FakeMeta, **fields: Any) -> ProviderAccount:
    """Likewise at 360dialog."""
    return account(Dialog360Settings(api_key=fake.token, base_url=fake.url), **fields)
