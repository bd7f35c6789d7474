"""Ids of messages, in the form that WAHA gives them: ``<fromMe>_<chat>_<id>[_<participant>]``; and our own.

WhatsApp's own id is unique for its sender only, and to quote, react or revoke one has to know who wrote the message and
where: all of that stands in it.

Our own id goes along inside the message's secret. whatsmeow makes the message's id by itself, and when its process dies
in mid-send nobody here knows it. But before it sends, it writes the message's secret down beside that id (whatsmeow,
send.go), and the secret is ours to choose: it is our id, encrypted. So a receipt that comes later says which message it
is about. To others the secret looks random.
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

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wagate.errors import SendRefusedError
from wagate.parsing.chats import GROUP, LID, USER
from wagate.parsing.fields import identifier

FILE: Final = "references.key"
HALF: Final = 16
"""Bytes: an id, and what proves that it is one. Together they are as long as WhatsApp's secrets."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """Which message."""

    chat: str
    """The chat's key."""
    id: str
    """WhatsApp's own."""
    from_me: bool
    participant: str = ""
    """Who wrote it, in a group."""

    @property
    def whole(self) -> str:
        """As it is told outside."""
        parts = ("true" if self.from_me else "false", self.chat, self.id, *filter(None, (self.participant,)))
        return identifier("_".join(parts))


def key_of(text: str) -> Key:
    """An id that was told outside. SendRefusedError: it is none of ours."""
    parts = text.split("_", 3)
    if len(parts) < 3 or parts[0] not in {"true", "false"} or "@" not in parts[1]:
        raise SendRefusedError(f"{text[:60]!r} is no id of a message here, like false_15550001111@c.us_3EB0…")
    participant = parts[3] if len(parts) > 3 else ""
    return Key(chat=parts[1], id=parts[2], from_me=parts[0] == "true", participant=participant)


def jid_of(key: str) -> str:
    """A chat's key as WhatsApp writes it. SendRefusedError: it is no chat of WhatsApp's."""
    local, _, domain = key.rpartition("@")
    if domain == USER:
        return f"{local}@s.whatsapp.net"
    if domain in {GROUP, LID, "newsletter", "broadcast"} and local:
        return key
    raise SendRefusedError(f"{key[:60]!r} is no chat of WhatsApp's")


def proto_key(key: Key) -> dict[str, object]:
    """WhatsApp's MessageKey as JSON."""
    found: dict[str, object] = {"remoteJID": jid_of(key.chat), "fromMe": key.from_me, "ID": key.id}
    if key.participant and key.chat.endswith(f"@{GROUP}"):
        found["participant"] = jid_of(key.participant)
    return found


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
