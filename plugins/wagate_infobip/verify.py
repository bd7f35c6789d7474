"""Is this webhook Infobip's? Infobip signs as it is told to, so the account's settings say what counts."""

from __future__ import annotations

import base64
import binascii
import hmac

from wagate.errors import UnauthorizedError
from wagate.hooks import InboundRequest, ProviderAccount
from wagate_infobip.settings import settings_of, tokens_of


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """Any one of the ways that the account has set is enough; when none is set, nothing is.

    Raises:
        UnauthorizedError: no way fits.
    """
    if not any(way(request, account) for way in (_by_token, _by_password, _by_header, _by_hmac)):
        raise UnauthorizedError("this webhook has no token, password, header or signature that Infobip would send")


def _by_token(request: InboundRequest, account: ProviderAccount) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    shown = (
        request.query.get("token", ""),
        bearer.strip() if scheme.lower() == "bearer" else "",
        request.headers.get("x-webhook-secret", ""),
    )
    return any(_same(each, token) for token in tokens_of(account) for each in shown)


def _by_password(request: InboundRequest, account: ProviderAccount) -> bool:
    settings = settings_of(account)
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    if not settings.webhook_username or scheme.lower() != "basic":
        return False
    try:
        shown = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(shown, f"{settings.webhook_username}:{settings.webhook_password}".encode())


def _by_header(request: InboundRequest, account: ProviderAccount) -> bool:
    settings = settings_of(account)
    shown = request.headers.get(settings.webhook_header.lower(), "")
    return bool(settings.webhook_header) and _same(shown, settings.webhook_header_value)


def _by_hmac(request: InboundRequest, account: ProviderAccount) -> bool:
    """The header's name and what is signed are not documented: the raw body, with or without ``sha256=`` in front."""
    settings = settings_of(account)
    if not settings.hmac_secret:
        return False
    shown = request.headers.get(settings.hmac_header.lower(), "").strip()
    shown = shown.removeprefix(f"{settings.hmac_algorithm}=")
    digest = hmac.digest(settings.hmac_secret.encode(), request.body, settings.hmac_algorithm)
    if settings.hmac_encoding == "base64":
        return _same(shown, base64.b64encode(digest).decode())
    return _same(shown.lower(), digest.hex())


def _same(shown: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(shown.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))
