"""Accounts, webhooks and messages of Twilio for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from wagate.events import NewEvent
from wagate.hooks import InboundRequest, OutFile, Outgoing, OutMessage, Provider, ProviderAccount
from wagate.http import HttpClient
from wagate.testing import fake_context
from wagate.testing.providers.twilio import FakeTwilio
from wagate_twilio import plugin
from wagate_twilio.settings import TwilioSettings
from wagate_twilio.webhook import parse

URL = "https://gate.example/webhooks/shop"
SID = "AC00000000000000000000000000000001"
TOKEN = "0123456789abcdef0123456789abcdef"
OURS = "14155238886"
THEM = "5511999990000@c.us"
OUR_ID = "0193a5b0-0000-7000-8000-000000000001"


def account(fake: FakeTwilio | None = None, *, url: str = URL, phone: str = OURS, **settings: Any) -> ProviderAccount:
    """The account ``shop``; of a fake's, when one is given."""
    base = {"account_sid": SID, "auth_token": TOKEN}
    if fake is not None:
        base |= {"account_sid": fake.account_sid, "auth_token": fake.auth_token}
        base |= {"base_url": fake.url, "messaging_url": fake.url}
    return ProviderAccount(
        name="shop",
        phone=phone,
        settings=TwilioSettings(**{**base, **settings}),
        webhook_secret="",
        webhook_url=url,
        trust="operator",
    )


def request(body: bytes, headers: Mapping[str, str] | None = None, *, url: str = URL) -> InboundRequest:
    """A request as the door hands it over."""
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return InboundRequest(method="POST", url=url, query=query, headers=lower, body=body)


def events(form: Mapping[str, str], *, url: str = URL) -> list[NewEvent]:
    """What a form is parsed to."""
    return list(parse(request(urlencode(form).encode(), url=url), account()))


def event(*files: str, body: str = "Hi", **form: str) -> NewEvent:
    """What a message with files of these MIME types is parsed to: its first event."""
    return events({**FakeTwilio().receive(body, *((b"", mimetype) for mimetype in files)), **form})[0]


def outgoing(to: ProviderAccount, message: OutMessage, file: OutFile | None = None) -> Outgoing:
    """A message with our id."""
    return Outgoing(id=OUR_ID, message=message, account=to, file=file)


def provider(http: HttpClient | None = None, *, timeout: float = 60.0) -> Provider:
    """The provider as the plugin registers it; ``http`` None: one that reaches nothing."""
    context = fake_context("twilio").context
    values = {name: getattr(context, name) for name in context.__dataclass_fields__}
    values["timeout"] = timeout
    if http is not None:
        values["http"] = http
    [found] = plugin.register_providers(type(context)(**values))
    return found
