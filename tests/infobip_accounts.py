"""Accounts, webhooks and messages of Infobip for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wagate.events import NewEvent
from wagate.hooks import InboundRequest, OutFile, Outgoing, OutMessage, Provider, ProviderAccount
from wagate.http import HttpClient
from wagate.testing import fake_context
from wagate.testing.providers.infobip import FakeInfobip
from wagate_infobip import plugin
from wagate_infobip.settings import InfobipSettings
from wagate_infobip.webhook import parse

URL = "https://gate.example/webhooks/shop"
THEM = "5511988880001@c.us"
OURS = "447700900100"
OUR_ID = "0193a5b0-0000-7000-8000-000000000001"


def account(fake: FakeInfobip | None = None, *, secret: str = "", url: str = "", **settings: Any) -> ProviderAccount:
    """The account ``shop``; of a fake's, when one is given."""
    base = {"api_key": "key", "sender": OURS} if fake is None else {"api_key": fake.api_key, "base_url": fake.url}
    return ProviderAccount(
        name="shop",
        phone=OURS,
        settings=InfobipSettings(**{**base, **settings}),
        webhook_secret=secret,
        webhook_url=url,
        trust="operator",
    )


def request(body: bytes, headers: Mapping[str, str] | None = None, *, url: str = URL) -> InboundRequest:
    """A request as the door hands it over."""
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return InboundRequest(method="POST", url=url, query=query, headers=lower, body=body)


def events(document: Any) -> list[NewEvent]:
    """What a body is parsed to."""
    return list(parse(request(json.dumps(document).encode()), account()))


def event(message: dict[str, Any], **item: Any) -> NewEvent:
    """What one inbound item is parsed to."""
    [found] = events({"results": [{**FakeInfobip().item(message), **item}]})
    return found


def outgoing(to: ProviderAccount, message: OutMessage, file: OutFile | None = None) -> Outgoing:
    """A message with our id."""
    return Outgoing(id=OUR_ID, message=message, account=to, file=file)


def provider(http: HttpClient | None = None, *, timeout: float = 60.0) -> Provider:
    """The provider as the plugin registers it; ``http`` None: one that reaches nothing."""
    context = fake_context("infobip").context
    values = {name: getattr(context, name) for name in context.__dataclass_fields__}
    values["timeout"] = timeout
    if http is not None:
        values["http"] = http
    [found] = plugin.register_providers(type(context)(**values))
    return found
