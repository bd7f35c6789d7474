"""An account's settings: where its WAHA is, and how the two know each other, also by a webhook."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

import msgspec

from wagate.errors import UnauthorizedError
from wagate.hooks import InboundRequest, ProviderAccount
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


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """``X-Webhook-Hmac`` is the hex HMAC-SHA-512 of the raw body under ``hmac_key`` or the account's webhook secret.

    Without ``hmac_key``, a webhook without a signature may carry that secret itself: as ``X-Api-Key``,
    ``X-Webhook-Secret`` (WAHA: ``customHeaders``) or ``?token=``.
    Source: https://waha.devlike.pro/docs/how-to/events/ (HMAC authentication).

    Raises:
        UnauthorizedError: none of these holds, or the account has neither key nor secret.
    """
    hmac_key, secret = settings_of(account).hmac_key, account.webhook_secret
    if not hmac_key and not secret:
        raise UnauthorizedError(
            "this account has no hmac_key and no webhook secret, so its webhooks are refused; set one of them"
        )
    given = request.headers.get("x-webhook-hmac")
    if given is not None:
        if not _is_signed(request, given, [key for key in (hmac_key, secret) if key]):
            raise UnauthorizedError("X-Webhook-Hmac does not match this body; compare hmac.key of WAHA's webhook")
        return
    if hmac_key:
        raise UnauthorizedError("X-Webhook-Hmac is missing; set hmac.key of WAHA's webhook to the account's hmac_key")
    headers = request.headers
    token = headers.get("x-webhook-secret") or headers.get("x-api-key") or request.query.get("token") or ""
    if not hmac.compare_digest(token.encode(), secret.encode()):
        raise UnauthorizedError("neither X-Webhook-Hmac nor the account's webhook secret came with this request")


def _is_signed(request: InboundRequest, given: str, keys: list[str]) -> bool:
    if request.headers.get("x-webhook-hmac-algorithm", "sha512").lower() != "sha512":
        return False
    mac = given.strip().lower().encode("utf-8", "replace")
    expected = [hmac.digest(key.encode(), request.body, hashlib.sha512).hex().encode() for key in keys]
    return any(hmac.compare_digest(mac, each) for each in expected)
