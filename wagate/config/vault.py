"""Encrypt credentials at rest, and sign tokens that expire."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from itsdangerous import BadData, Signer, URLSafeSerializer

from wagate.clock import Clock
from wagate.errors import ConfigError, UnauthorizedError

_SALT: Final = b"wagate auth.secret_key"
"""Fixed, so that one passphrase is one key on every node. It only keeps tables made for other programs from fitting."""


class Vault:
    """Encrypts with the first key, decrypts with any. Safe to use from several threads."""

    def __init__(self, secret_keys: Sequence[str], clock: Clock | None = None) -> None:
        """``secret_keys`` are Fernet keys or passphrases, of which each takes about 50 ms to derive.

        Raises:
            ConfigError: there is no key, or one is shorter than 16 characters.
        """
        if not secret_keys or any(len(key) < 16 for key in secret_keys):
            raise ConfigError("auth.secret_key: must be at least 16 characters long")
        keys = [_fernet_key(key) for key in secret_keys]
        self._first = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        # The serializer signs with the last of its keys.
        self._signing_keys = [hashlib.sha256(b"wagate signing" + key).digest() for key in reversed(keys)]
        self._clock = clock or Clock()

    def encrypt(self, text: str) -> str:
        """The text as a Fernet token: ASCII, different at each call."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode("ascii")

    def decrypt(self, token: str) -> str:
        """The text that `encrypt` was given. Raises ConfigError when the token is damaged or of a key not held."""
        try:
            return self._fernet.decrypt(token.encode()).decode("utf-8", "surrogatepass")
        except (InvalidToken, UnicodeError) as error:
            raise ConfigError(
                "auth.secret_key: a stored secret can't be decrypted; it is damaged, or was encrypted with a key that "
                "is not here (to change keys, put the new one before the old: secret_key = [new, old])"
            ) from error

    def rotate(self, token: str) -> str:
        """The same text under the first key; the token itself when it is under that already. Raises as `decrypt`."""
        try:
            self._first.decrypt(token.encode())
        except InvalidToken:
            return self.encrypt(self.decrypt(token))
        return token

    def sign(self, text: str, *, purpose: str, seconds: float) -> str:
        """A token, safe in URLs, that `unsign` turns back into the text for so many seconds. It is not encrypted."""
        signed: str | bytes = self._serializer(purpose).dumps([text, round(self._clock.time() + seconds)])
        return signed if isinstance(signed, str) else signed.decode("ascii")

    def unsign(self, token: str, *, purpose: str) -> str:
        """The text of a token made for this purpose. Raises UnauthorizedError when it is forged or has expired."""
        try:
            text, expires = self._serializer(purpose).loads(token)
        except (BadData, ValueError, TypeError) as error:
            raise UnauthorizedError("this token is not valid") from error
        if expires <= self._clock.time():
            raise UnauthorizedError("this token has expired")
        return str(text)

    def mac(self, text: str, *, purpose: str) -> str:
        """A signature of the text, safe in URLs; the same at each call. `has_mac` checks it."""
        return self._signer(purpose).get_signature(text).decode("ascii")

    def has_mac(self, text: str, mac: str, *, purpose: str) -> bool:
        """Whether `mac` made this signature, with any key held; in constant time."""
        return self._signer(purpose).verify_signature(text, mac.encode("ascii", "replace"))

    def _signer(self, purpose: str) -> Signer:
        return Signer(self._signing_keys, f"wagate {purpose}", key_derivation="hmac", digest_method=hashlib.sha256)

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._signing_keys,
            salt=f"wagate {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def _fernet_key(text: str) -> bytes:
    """The key itself when it is one of Fernet's, else one derived from it."""
    try:
        if len(base64.urlsafe_b64decode(text)) == 32:
            return text.encode("ascii")
    except (binascii.Error, ValueError):
        pass
    return base64.urlsafe_b64encode(Scrypt(salt=_SALT, length=32, n=2**14, r=8, p=1).derive(text.encode()))
