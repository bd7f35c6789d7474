"""What is set for an account of Meta's Cloud API."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

SECRETS = frozenset({"access_token", "app_secret", "verify_token"})
COMMON_KEYS = {
    "api_key": "access_token",
    "api_secret": "app_secret",
    "phone_number_id": "phone_number_id",
    "webhook_verify_token": "verify_token",
}
_VERSION = re.compile(r"v\d{1,3}\.\d{1,2}")
_ID = re.compile(r"\d{1,32}")
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class MetaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of ``[accounts.<name>]`` with ``provider = "meta"``."""

    access_token: _Text
    """A system user's token with ``whatsapp_business_messaging`` (and ``_management`` for the doctor)."""
    phone_number_id: _Text
    """Meta's id of the number (digits; not the number itself)."""
    app_secret: str = ""
    """Signs the webhooks; without it they are refused. App settings, Basic."""
    verify_token: str = ""
    """What you typed as verify token where the webhook is set; without it Meta's handshake is refused."""
    waba_id: str = ""
    """Id of the WhatsApp Business Account; the doctor then sees whether an app is subscribed to it."""
    app_id: str = ""
    """Id of the app; the doctor then sees whether ``app_secret`` and ``access_token`` are of one app."""
    api_version: str = "v23.0"
    """Of the Graph API."""
    base_url: str = "https://graph.facebook.com"
    """Where the Graph API is."""

    def __post_init__(self) -> None:
        """ValueError when a value can't be one."""
        if not _VERSION.fullmatch(self.api_version):
            raise ValueError("api_version must be written like v23.0")
        for name in ("phone_number_id", "waba_id", "app_id"):
            value = getattr(self, name)
            if value and not _ID.fullmatch(value):
                raise ValueError(f"{name} must be digits: Meta's id, as its console shows it")
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError("base_url must begin with https://")
