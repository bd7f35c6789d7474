"""The bytes of webhook signatures: Standard Webhooks, and WAHA's HMAC headers.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
https://waha.devlike.pro/docs/how-to/events/ (HMAC authentication).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as randomness
from collections.abc import Sequence

from wagate.http.errors import BadSecretError

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""


def new_secret() -> str:
    """A fresh secret: ``whsec_`` and base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def parse_secret(secret: str) -> bytes:
    """The key's bytes. Padding may be missing.

    Raises:
        BadSecretError: not ``whsec_`` with base64 of 24 to 64 bytes. The message does not repeat the secret.
    """
    cure = (
        f"a secret is {PREFIX} followed by base64 of {SHORTEST} to {LONGEST} random bytes; leave it out to get one made"
    )
    if not secret.startswith(PREFIX):
        raise BadSecretError(cure)
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSecretError(cure) from error
    if not SHORTEST <= len(key) <= LONGEST:
        raise BadSecretError(f"{cure} (this one has {len(key)} bytes)")
    return key


def is_plain(secret: str) -> bool:
    """Whether it is a key as WAHA's ``hmac.key``: any text of 16 to 128 printable ASCII characters without blanks."""
    written = secret.isascii() and secret.isprintable() and " " not in secret
    return written and 16 <= len(secret) <= 128 and not secret.startswith(PREFIX)


def _key_of(secret: str) -> bytes:
    return secret.encode() if is_plain(secret) else parse_secret(secret)


def sign(secrets: Sequence[str], msg_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: ``v1,<base64>`` for each live secret, so that both hold during a rotation.

    ``timestamp`` is the attempt's time in unix seconds; ``body`` exactly what is sent. A plain key (`is_plain`) signs
    with the bytes of its text.

    Raises:
        BadSecretError: there is none, or one can't be used.
        ValueError: the id holds a dot, with which one message could be passed off as another.
    """
    if not secrets:
        raise BadSecretError("a webhook needs at least one secret to sign with")
    if "." in msg_id:
        raise ValueError(f"a webhook id must not hold a dot: {msg_id!r}")
    signed = b"%b.%d.%b" % (msg_id.encode(), timestamp, body)
    return " ".join(_v1(_key_of(secret), signed) for secret in secrets)


def standard_headers(secrets: Sequence[str], msg_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks; see `sign`."""
    return {
        "webhook-id": msg_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, msg_id, timestamp, body),
    }


def waha_headers(key: str, request_id: str, timestamp_ms: int, body: bytes) -> dict[str, str]:
    """WAHA's headers: hex HMAC-SHA512 of the raw body under the key's text, and the envelope's time in milliseconds."""
    return {
        "X-Webhook-Request-Id": request_id,
        "X-Webhook-Timestamp": str(timestamp_ms),
        "X-Webhook-Hmac": hmac.digest(key.encode(), body, hashlib.sha512).hex(),
        "X-Webhook-Hmac-Algorithm": "sha512",
    }


def _v1(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
