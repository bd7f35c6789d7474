"""A phone's part when a number is linked by a code that somebody types. Source: whatsmeow, pair-code.go."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wagate.testing.whatsapp.library import Node, dh, signal

if TYPE_CHECKING:
    from wagate.testing.whatsapp.connection import Connection
    from wagate.testing.whatsapp.people import Person

ROUNDS = 2 << 16
REFERENCE = b"fake-ref"


class WrongCodeError(Exception):
    """The phone shows "wrong code": it can't open what the device sent."""


@dataclass
class Typing:
    """One client that shows a code."""

    connection: Connection
    wrapped: bytes
    """Its ephemeral key, encrypted with the code."""
    ephemeral: Any = field(default_factory=signal.IdentityKeyPair.generate)
    """The phone's."""
    theirs: bytes = b""
    """The client's ephemeral key, once the code was typed."""
    phone: Person | None = None

    def typed(self, phone: Person, code: str) -> Node:
        """Somebody types the code: what the server tells the client."""
        plain = code.replace("-", "")
        self.theirs, self.phone = _with_code(plain, self.wrapped), phone
        salt, start = os.urandom(32), os.urandom(16)
        wrapped = salt + start + _coded(plain, salt, start, self.ephemeral.public)
        parts = [
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, wrapped),
            Node("primary_identity_pub", {}, phone.identity.public),
            Node("link_code_pairing_ref", {}, REFERENCE),
        ]
        return Node("link_code_companion_reg", {"stage": "primary_hello"}, parts)

    def finished(self, bundle: bytes) -> tuple[bytes, bytes]:
        """The client's identity, and the secret that proves the link. WrongCodeError: it was not this code."""
        assert self.phone is not None
        shared = dh(self.ephemeral.private, self.theirs)
        salt, start, box = bundle[:32], bundle[32:44], bundle[44:]
        key = HKDF(hashes.SHA256(), 32, salt, b"link_code_pairing_key_bundle_encryption_key").derive(shared)
        try:
            plain = AESGCM(key).decrypt(start, box, None)
        except Exception as error:
            raise WrongCodeError from error
        identity, ours, luck = plain[:32], plain[32:64], plain[64:]
        assert ours == self.phone.identity.public
        material = shared + dh(self.phone.identity.private, identity) + luck
        return identity, HKDF(hashes.SHA256(), 32, None, b"adv_secret").derive(material)


def _with_code(code: str, wrapped: bytes) -> bytes:
    return _coded(code, wrapped[:32], wrapped[32:48], wrapped[48:])


def _coded(code: str, salt: bytes, start: bytes, key: bytes) -> bytes:
    """Either way: it is a stream cipher."""
    secret = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, ROUNDS, 32)
    coder = Cipher(algorithms.AES(secret), modes.CTR(start)).encryptor()
    return coder.update(key) + coder.finalize()
