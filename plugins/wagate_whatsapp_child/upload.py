"""Files on their way to WhatsApp's shelf, encrypted and uploaded here, part by part: the library takes them whole.

Loaded with the first large file: an engine that sends none does without what it imports, 14 MB.
Source: whatsmeow, upload.go (keys by HKDF, AES-256-CBC, ten bytes of an HMAC at the end, the place on the shelf by the
hash of all that).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import os
import ssl
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from wagate_whatsapp_child.library import LibraryError
from wagate_whatsapp_child.shelf import KeyRefusedError, LateError, Shelf

PART = 64 * 1024
BLOCK, MAC = 16, 10
STEP = 10.0
"""Seconds for each step to a connection: a name may have several addresses, and each gets that long."""
ORIGIN = "https://web.whatsapp.com"


class Sealed:
    """A file as WhatsApp keeps it: its keys and hashes, and its bytes as often as they are wanted."""

    def __init__(self, path: Path, kind: str, until: float = math.inf) -> None:
        """Reads it once: the place on the shelf depends on all of it. ``kind``: image, video, audio or document.

        LateError, here and in `parts`: it is later than ``until``, by `time.monotonic`.
        """
        self._path = path
        self._until = until
        self.key = os.urandom(32)
        self._wide = _keys(self.key, f"WhatsApp {kind.capitalize()} Keys".encode())
        self.size = path.stat().st_size
        self.length = (self.size // BLOCK + 1) * BLOCK + MAC
        plain, sealed = hashlib.sha256(), hashlib.sha256()
        for part in self.parts(plain.update):
            sealed.update(part)
        self.plain, self.sealed = plain.digest(), sealed.digest()

    def parts(self, read: Callable[[bytes], None] = lambda _part: None) -> Iterator[bytes]:
        """The encrypted bytes; ``read`` gets the plain ones."""
        start = self._wide[:16]
        box, pad = Cipher(algorithms.AES(self._wide[16:48]), modes.CBC(start)).encryptor(), PKCS7(128).padder()
        mac = hmac.new(self._wide[48:80], start, hashlib.sha256)
        with self._path.open("rb") as file:
            while part := file.read(PART):
                left(self._until)
                read(part)
                sealed = box.update(pad.update(part))
                mac.update(sealed)
                yield sealed
        last = box.update(pad.finalize()) + box.finalize()
        mac.update(last)
        yield last + mac.digest()[:MAC]


def upload(path: Path, kind: str, shelf: Shelf, proxy: str, until: float) -> dict[str, Any]:
    """Put a file onto the shelf; what a message says of it, as JSON.

    LibraryError: it is not there. LateError: since that would have taken longer than ``until``, by `time.monotonic`.
    KeyRefusedError: nor will it be with this key.
    """
    try:
        sealed = Sealed(path, kind, until)
        token = base64.urlsafe_b64encode(sealed.sealed).decode()
        target = f"/mms/{kind}/{quote(token)}?{urlencode({'auth': shelf.auth, 'token': token})}"
        answer = _posted(shelf.host, target, sealed, proxy, until)
    except (OSError, HTTPException, ValueError) as error:
        raise LibraryError(f"failed to execute request: {type(error).__name__}: {error}") from error
    return {
        "URL": answer["url"],
        "directPath": answer["direct_path"],
        "mediaKey": _base64(sealed.key),
        "fileEncSHA256": _base64(sealed.sealed),
        "fileSHA256": _base64(sealed.plain),
        "fileLength": str(sealed.size),
    }


def left(until: float) -> float:
    """Seconds. LateError: none."""
    if (seconds := until - time.monotonic()) <= 0:
        raise LateError("it took too long")
    return seconds


def _posted(host: str, target: str, sealed: Sealed, proxy: str, until: float) -> dict[str, str]:
    connection = _connection(host, proxy, until)

    def in_time() -> Iterator[bytes]:
        for part in sealed.parts():
            connection.sock.settimeout(left(until))
            yield part

    try:
        head = {"Content-Length": str(sealed.length), "Origin": ORIGIN, "Referer": f"{ORIGIN}/"}
        connection.request("POST", target, in_time(), head)
        connection.sock.settimeout(left(until))
        answer = connection.getresponse()
        said = answer.read(PART)
    finally:
        connection.close()
    if answer.status in {401, 403}:
        raise KeyRefusedError(f"upload failed with status code {answer.status}")
    if answer.status != 200:
        raise LibraryError(f"upload failed with status code {answer.status}")
    found = json.loads(said)
    if not (isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("url", "direct_path"))):
        raise ValueError("the answer names no place")
    return found


def _connection(host: str, proxy: str, until: float) -> HTTPSConnection:
    tls, seconds = ssl.create_default_context(), min(STEP, left(until))
    if not proxy:
        return HTTPSConnection(host, timeout=seconds, context=tls)
    way = urlsplit(proxy)
    made = HTTPSConnection(way.hostname or "", way.port or 80, timeout=seconds, context=tls)
    name = f"{unquote(way.username or '')}:{unquote(way.password or '')}"
    made.set_tunnel(host, headers={"Proxy-Authorization": f"Basic {_base64(name.encode())}"} if way.username else {})
    return made


def _keys(secret: bytes, use: bytes) -> bytes:
    """112 bytes by HKDF-SHA256 (RFC 5869), without salt."""
    first = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    wide = block = b""
    for number in range(1, 5):
        block = hmac.new(first, block + use + bytes([number]), hashlib.sha256).digest()
        wide += block
    return wide[:112]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
