"""Is a webhook WAHA's? Its HMAC says so, or a secret in a header."""

from __future__ import annotations

import hashlib
import hmac

from wagate.errors import UnauthorizedError
from wagate.hooks import InboundRequest, ProviderAccount
from wagate_waha.settings import settings_of


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
