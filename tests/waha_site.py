"""An account of WAHA, and what it takes to call its provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec

from wagate.hooks import InboundRequest, OutFile, Outgoing, OutMessage, Provider, ProviderAccount
from wagate.http import HttpClient
from wagate.testing import fake_context
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import running
from wagate_waha import make_provider
from wagate_waha.settings import WahaSettings


def account(base_url: str = "http://waha.example:3000", *, secret: str = "", **settings: Any) -> ProviderAccount:
    return ProviderAccount(
        name="main",
        phone="15550000001",
        settings=WahaSettings(base_url=base_url, **settings),
        webhook_secret=secret,
        webhook_url="https://gateway.example/webhooks/main",
        trust="operator",
    )


def posted(
    body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> InboundRequest:
    return InboundRequest(
        method="POST",
        url="https://gateway.example/webhooks/main",
        query=query or {},
        headers=headers or {},
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
    )


def outgoing(to: ProviderAccount, kind: str, *, file: OutFile | None = None, **fields: Any) -> Outgoing:
    message = OutMessage(**{"chat": "19990000000@c.us", "type": kind, **fields})
    return Outgoing(id="0190-1", message=message, account=to, file=file)


@asynccontextmanager
async def waha(fake: FakeWaha, **settings: Any) -> AsyncIterator[tuple[Provider, ProviderAccount]]:
    """The provider with a real client, and an account at this WAHA."""
    client = HttpClient(allow_http=True)
    async with running(fake):
        context = replace(fake_context("waha").context, http=client)
        yield make_provider(context), account(fake.url, **settings)
        await client.aclose()
