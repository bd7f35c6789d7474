"""``[accounts.<name>]`` with ``provider = "infobip"``."""

from __future__ import annotations

from typing import Literal

import msgspec

from wagate.hooks import ProviderAccount
from wagate.parsing.chats import chat_key, digits_of


class InfobipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What Infobip needs to send, and how its webhooks prove that they are Infobip's: any of the ways that are set."""

    api_key: str
    """From the portal, Developers → API keys; scopes ``whatsapp:message:send`` and ``whatsapp:manage``."""
    base_url: str = "https://api.infobip.com"
    """The account's own, as the portal shows it: ``https://xxxxx.api.infobip.com``."""
    sender: str = ""
    """The WhatsApp sender's number; '' takes the account's ``phone``."""
    entity_id: str = ""
    """Sent as ``entityId`` (Infobip's CPaaS X), with ``application_id``."""
    application_id: str = ""
    """Sent as ``applicationId``."""
    webhook_token: str = ""
    """Accepted as the account's webhook secret is: ``?token=``, ``Authorization: Bearer`` or ``X-Webhook-Secret``."""
    webhook_username: str = ""
    """With ``webhook_password``: Basic authentication."""
    webhook_password: str = ""
    webhook_header: str = ""
    """Name of a header that Infobip adds to its webhooks, with ``webhook_header_value``."""
    webhook_header_value: str = ""
    hmac_secret: str = ""
    """Signs the raw body; the signature stands in ``hmac_header``."""
    hmac_header: str = ""
    hmac_algorithm: Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"] = "sha256"
    hmac_encoding: Literal["hex", "base64"] = "hex"
    reports: bool = True
    """Ask for reports with each message (``notifyUrl``), when ``server.public_url`` and a token are there."""

    def __post_init__(self) -> None:
        """Refuse what could never work. ValueError names the keys, never a value."""
        if not self.api_key.strip():
            raise ValueError("api_key is empty; the portal shows it under Developers, API keys")
        for one, other in (
            ("webhook_username", "webhook_password"),
            ("webhook_header", "webhook_header_value"),
            ("hmac_secret", "hmac_header"),
        ):
            if bool(getattr(self, one)) != bool(getattr(self, other)):
                raise ValueError(f"{one} and {other} go together; set both or none")

    def __repr__(self) -> str:
        return f"InfobipSettings(sender={self.sender!r})"

    @property
    def api(self) -> str:
        """The base URL with its scheme and without a slash at the end."""
        url = self.base_url.strip().rstrip("/") or "https://api.infobip.com"
        return url if "://" in url else f"https://{url}"

    @property
    def authorization(self) -> str:
        """The Authorization header: ``App <key>``, unless the key names its scheme itself (``Bearer …``)."""
        key = self.api_key.strip()
        return key if " " in key else f"App {key}"


SECRETS = frozenset({"api_key", "webhook_token", "webhook_password", "webhook_header_value", "hmac_secret"})
COMMON_KEYS = {"api_key": "api_key", "phone_number_id": "sender", "webhook_verify_token": "webhook_token"}


def settings_of(account: ProviderAccount) -> InfobipSettings:
    """The account's settings, as their own type."""
    assert isinstance(account.settings, InfobipSettings)
    return account.settings


def sender_of(account: ProviderAccount) -> str:
    """Digits of the number that sends, '' when not known."""
    return digits_of(chat_key(settings_of(account).sender)) or account.phone


def tokens_of(account: ProviderAccount) -> tuple[str, ...]:
    """What a webhook may show as its token; the first one is what we put into URLs."""
    return tuple(token for token in (account.webhook_secret, settings_of(account).webhook_token) if token)
