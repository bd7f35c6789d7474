"""Our own id of a message, inside the secret that goes along with it.

whatsmeow makes the message's id by itself, and when its process dies in mid-send nobody here knows it. But before it
sends, it writes the message's secret down beside that id (whatsmeow, send.go), and the secret is ours to choose: it is
our id, encrypted. So a receipt that comes later says which message it is about. To others the secret looks random.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FILE: Final = "references.key"
HALF: Final = 16
"""Bytes: an id, and what proves that it is one. Together they are as long as WhatsApp's secrets."""


class References:
    """Of one number; its key is a file beside WhatsApp's keys."""

    def __init__(self, folder: Path) -> None:
        key = _key(folder / FILE)
        self._box = Cipher(algorithms.AES(key[:32]), modes.ECB())  # noqa: S305  (one block, and never the same one)
        self._proof = key[32:]

    def secret(self, message_id: str) -> str:
        """The secret for one of our ids (a UUID), in base64; for anything else a random one."""
        try:
            plain = UUID(message_id).bytes
        except ValueError:
            return base64.b64encode(os.urandom(2 * HALF)).decode()
        coder = self._box.encryptor()
        sealed = coder.update(plain) + coder.finalize()
        return base64.b64encode(sealed + self._mac(sealed)).decode()

    def read(self, secret: str) -> str:
        """Our id in a secret; '' when it is none of ours."""
        try:
            raw = base64.b64decode(secret, validate=True)
        except (ValueError, binascii.Error):
            return ""
        sealed, proof = raw[:HALF], raw[HALF:]
        if not hmac.compare_digest(proof, self._mac(sealed)):
            return ""
        coder = self._box.decryptor()
        return str(UUID(bytes=coder.update(sealed) + coder.finalize()))

    def _mac(self, sealed: bytes) -> bytes:
        return hmac.new(self._proof, sealed, hashlib.sha256).digest()[:HALF]


def _key(path: Path) -> bytes:
    """The number's key, made when there is none."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) == 64:
        return found
    made = os.urandom(64)
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, made)
        os.fsync(file)
    finally:
        os.close(file)
    return made
