"""Is a webhook Chatwoot's? Its signature says so, or a token in the URL for servers that don't sign."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from wagate.errors import UnauthorizedError
from wagate.parsing.fields import whole
from wagate_chatwoot.settings import Inbox

TOLERANCE = 300.0
"""Seconds that a signature's time may be away from ours, either way."""
PREFIX = "sha256="


def verify(inbox: Inbox, headers: Mapping[str, str], token: str, body: bytes, *, now: float) -> None:
    """``X-Chatwoot-Signature`` is ``sha256=`` and the hex HMAC-SHA256 of ``<timestamp>.<raw body>`` under the secret.

    Header names in lower case; ``token`` is the URL's ``?token=``, ``now`` in Unix seconds. Without a ``secret`` the
    inbox' ``webhook_token`` must be the token. Source: github.com/chatwoot/chatwoot, lib/webhooks/trigger.rb.

    Raises:
        UnauthorizedError: it is not Chatwoot's, or too old, or the inbox has neither secret nor token.
    """
    if inbox.secret:
        _verify_signature(inbox.secret, headers, body, now)
    elif not inbox.webhook_token:
        raise UnauthorizedError(
            "this inbox has neither secret nor webhook_token, so its webhooks are refused; set one of them"
        )
    elif not hmac.compare_digest(token.encode("utf-8", "replace"), inbox.webhook_token.encode()):
        raise UnauthorizedError("?token= is not this inbox' webhook_token")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What Chatwoot writes into ``X-Chatwoot-Signature``."""
    signed = timestamp.encode("utf-8", "replace") + b"." + body
    return PREFIX + hmac.digest(secret.encode(), signed, hashlib.sha256).hex()


def _verify_signature(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    given, timestamp = headers.get("x-chatwoot-signature", ""), headers.get("x-chatwoot-timestamp", "")
    if not given:
        raise UnauthorizedError(
            "X-Chatwoot-Signature is missing: Chatwoot signs from 4.13 on; use webhook_token before"
        )
    expected = signature(secret, timestamp, body)
    if not hmac.compare_digest(given.strip().lower().encode("utf-8", "replace"), expected.encode()):
        raise UnauthorizedError("X-Chatwoot-Signature does not match; compare secret with the inbox' webhook secret")
    seconds = whole(timestamp)
    if seconds is None or abs(seconds - now) > TOLERANCE:
        raise UnauthorizedError(f"X-Chatwoot-Timestamp is more than {TOLERANCE:g} s away from our clock")
