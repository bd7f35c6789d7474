"""An account's settings: where its session engine is. All are optional: without them the account only receives."""

from __future__ import annotations

from typing import Literal

import msgspec

from wagate.hooks import ProviderAccount
from wagate.http import BadUrlError, check_url


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` with ``provider = "session"``."""

    base_url: str = ""
    """The engine's REST API (avoylenko/wwebjs-api and its like): ``http://engine:3000``; '': nothing can be sent."""
    api_key: str = ""
    """The engine's ``API_KEY``; '' when it asks for none."""
    session_id: str = ""
    """The engine's id of the session; '': the account's name."""
    media: Literal["url", "base64"] = "url"
    """How files go out: the engine fetches them at their URL, or gets those that we hold in the request."""

    def __post_init__(self) -> None:
        try:
            if self.base_url:
                check_url(self.base_url, allow_http=True)
        except BadUrlError as error:
            raise ValueError(f"base_url: {error}") from error


SECRETS = frozenset({"api_key"})
COMMON_KEYS = {"api_key": "api_key"}


def settings_of(account: ProviderAccount) -> SessionSettings:
    """The account's settings."""
    assert isinstance(account.settings, SessionSettings)
    return account.settings


def session_of(account: ProviderAccount) -> str:
    """The engine's id of the account's session."""
    return settings_of(account).session_id or account.name
