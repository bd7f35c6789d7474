"""A text message as an account's own provider would post it, with that provider's proof; for ``wagate simulate``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import msgspec

from wagate.hooks.providers import Provider, ProviderAccount, Simulation
from wagate.http.signing import waha_headers
from wagate.testing.providers.infobip import FakeInfobip, by_hmac, by_password
from wagate.testing.providers.meta import FakeMeta, escaped, signature
from wagate.testing.providers.twilio import FakeTwilio, signed_webhook
from wagate.testing.providers.waha import FakeWaha

Signed = tuple[bytes, dict[str, str]]
"""Body and headers."""
OURS = "15550000001"
"""Our number, when the account doesn't say."""
_JSON = {"Content-Type": "application/json"}


class CannotProveError(ValueError):
    """The account has nothing set that a webhook could prove itself with; the message says what is missing."""


def simulated(provider: Provider, account: ProviderAccount, wanted: Simulation) -> Signed | None:
    """The webhook; None when the provider has no `Provider.simulate` and is none of those known here.

    Raises ValueError: the account lacks a proof (CannotProveError). PluginError.
    """
    if provider.simulate is not None:
        body, headers = provider.simulate(wanted, account)
        return body, dict(headers)
    make = _MAKERS.get(provider.name)
    return make(account, wanted.sender, wanted.text, wanted.url) if make is not None else None


def _meta(account: ProviderAccount, sender: str, text: str, _url: str) -> Signed:
    if not account.settings.app_secret:
        raise CannotProveError("app_secret is not set")
    body = _metas_body(account, sender, text)
    return body, signature(body, account.settings.app_secret)


def _dialog360(account: ProviderAccount, sender: str, text: str, _url: str) -> Signed:
    return _metas_body(account, sender, text), {**_JSON, account.settings.webhook_header: _secret(account)}


def _metas_body(account: ProviderAccount, sender: str, text: str) -> bytes:
    fake = FakeMeta(phone=account.phone or OURS, phone_number_id=account.settings.phone_number_id or "1")
    own = {"id": f"wamid.{secrets.token_hex(16).upper()}", "timestamp": str(int(time.time()))}
    return escaped(msgspec.json.encode(fake.incoming(fake.text(text, sender=sender, **own))).decode())


def _infobip(account: ProviderAccount, sender: str, text: str, _url: str) -> Signed:
    settings = account.settings
    fake = FakeInfobip(sender=settings.sender or account.phone or OURS)
    item = fake.item({"type": "TEXT", "text": text}, sender=sender)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())
    item |= {"messageId": f"wamid.{secrets.token_hex(16)}", "receivedAt": moment}
    body = msgspec.json.encode({"results": [item], "messageCount": 1, "pendingMessageCount": 0})
    if settings.hmac_secret:
        how = {"algorithm": settings.hmac_algorithm, "encoding": settings.hmac_encoding}
        return body, _JSON | by_hmac(settings.hmac_header, settings.hmac_secret, body, **how)
    if settings.webhook_username:
        return body, _JSON | by_password(settings.webhook_username, settings.webhook_password)
    if settings.webhook_header:
        return body, _JSON | {settings.webhook_header: settings.webhook_header_value}
    return body, _JSON | {"X-Webhook-Secret": settings.webhook_token or _secret(account)}


def _twilio(account: ProviderAccount, sender: str, text: str, url: str) -> Signed:
    settings = account.settings
    number = "".join(filter(str.isdigit, settings.from_number)) or account.phone or OURS
    form = FakeTwilio(account_sid=settings.account_sid, number=number).receive(text, sender=sender)
    sid = f"SM{secrets.token_hex(16)}"
    return signed_webhook(
        url, form | dict.fromkeys(("SmsMessageSid", "SmsSid", "MessageSid"), sid), settings.auth_token
    )


def _waha(account: ProviderAccount, sender: str, text: str, _url: str) -> Signed:
    settings = account.settings
    fake, moment = FakeWaha(session=settings.session), int(time.time())
    payload = fake.incoming(text, sender=f"{sender}@c.us", bare=f"3EB0{secrets.token_hex(8).upper()}")
    envelope = {"id": f"evt_{secrets.token_hex(13)}", "timestamp": moment * 1000}
    key = settings.hmac_key or account.webhook_secret
    if not key:
        raise CannotProveError("neither hmac_key nor webhook_secret is set")
    body, _ = fake.webhook("message", payload | {"timestamp": moment}, session=settings.session, envelope=envelope)
    return body, _JSON | waha_headers(key, secrets.token_hex(8), moment * 1000, body)


def _secret(account: ProviderAccount) -> str:
    if not account.webhook_secret:
        raise CannotProveError("webhook_secret is not set")
    return account.webhook_secret


_MAKERS: dict[str, Callable[[ProviderAccount, str, str, str], Signed]] = {
    "meta": _meta,
    "dialog360": _dialog360,
    "infobip": _infobip,
    "twilio": _twilio,
    "waha": _waha,
}
