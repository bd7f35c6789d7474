"""Is this webhook Twilio's? ``X-Twilio-Signature`` over the public URL and all parameters.

Source: Twilio's page "Webhooks security"; twilio-python, twilio/request_validator.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from wagate.errors import UnauthorizedError
from wagate.hooks import InboundRequest, ProviderAccount
from wagate_twilio.settings import settings_of

HEADER = "x-twilio-signature"
_PORTS = {"https": 443, "http": 80}


def verify(request: InboundRequest, account: ProviderAccount) -> None:
    """The signature fits the URL with or without its port: Twilio is not consistent about it.

    Raises:
        UnauthorizedError: no signature, or one that does not fit: a wrong token, or another URL than Twilio posts to.
    """
    shown = request.headers.get(HEADER, "").encode("utf-8", "replace")
    token = settings_of(account).auth_token
    if not shown or not token:
        raise UnauthorizedError("no X-Twilio-Signature")
    told = request.query.get("bodySHA256")
    pairs = request.form() if told is None else []
    fits = any(hmac.compare_digest(shown, signature(token, url, pairs).encode()) for url in _spellings(request.url))
    if told is not None:
        # A JSON body: its hash stands in the URL, and the URL alone is signed.
        fits &= hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), told.lower().encode())
    if not fits:
        raise UnauthorizedError(
            "X-Twilio-Signature does not match: check auth_token, and that server.public_url is what Twilio posts to"
        )


def signature(token: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Base64 of HMAC-SHA1 over the URL and each parameter, sorted by name, then by value, without repetitions."""
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode("utf-8", "replace"), hashlib.sha1)).decode()


def _spellings(url: str) -> list[str]:
    """The URL as it is, without a port, and with its scheme's own."""
    parts = urlsplit(url.partition("#")[0])
    try:
        port = parts.port
    except ValueError:
        return [url]
    bare = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    with_port = parts.netloc if port is not None else f"{bare}:{_PORTS.get(parts.scheme, 443)}"
    return list(dict.fromkeys([url, _with_netloc(parts, bare), _with_netloc(parts, with_port)]))


def _with_netloc(parts: SplitResult, netloc: str) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{netloc}{parts.path}{query}"
