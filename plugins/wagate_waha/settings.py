"""An account's settings: where its WAHA is, and how the two know each other."""

from __future__ import annotations

from typing import Literal

import msgspec

from wagate.hooks import ProviderAccount
from wagate.http import BadUrlError, check_url


class WahaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` with ``provider = "waha"``."""

    base_url: str
    """Where WAHA listens: ``http://waha:3000``, with its path if it has one."""
    api_key: str = ""
    """What ``WAHA_API_KEY`` was made of (the plain key); '' when WAHA asks for none."""
    session: str = "default"
    """WAHA's name of the session."""
    hmac_key: str = ""
    """``hmac.key`` of WAHA's webhook. '': the account's webhook secret is the key, or stands in a header."""
    media: Literal["url", "base64"] = "url"
    """How files go out: WAHA fetches them at their URL, or gets those that we hold in the request."""

    def __post_init__(self) -> None:
        try:
            check_url(self.base_url, allow_http=True)
        except BadUrlError as error:
            raise ValueError(f"base_url: {error}") from error


SECRETS = frozenset({"api_key", "hmac_key"})
COMMON_KEYS = {"api_key": "api_key", "webhook_verify_token": "hmac_key"}


def settings_of(account: ProviderAccount) -> WahaSettings:
    """The account's settings."""
    assert isinstance(account.settings, WahaSettings)
    return account.settings
