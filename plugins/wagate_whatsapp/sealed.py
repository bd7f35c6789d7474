"""Votes and answers to invitations: encrypted with the secret of the message that they are about.

Source: whatsmeow, msgsecret.go (a key by HKDF from the secret, the message's id, who wrote it, who votes, and the use;
AES-256-GCM, with id and voter beside it).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wagate.parsing.fields import first_text, mapping
from wagate_whatsapp.people import Us
from wagate_whatsapp.process import Json

POLL_VOTE: Final = "Poll Vote"
EVENT_RESPONSE: Final = "Event Response"
RESPONSES: Final = {1: "GOING", 2: "NOT_GOING", 3: "MAYBE"}
"""waE2E, EventResponseMessage.EventResponseType"""


def chosen(part: Json, line: Json, us: Us) -> list[str] | None:
    """The answers that a vote names, in the poll's order; [] when it was taken back, None when it can't be opened."""
    plain = _opened(POLL_VOTE, mapping(part.get("pollCreationMessageKey")), mapping(part.get("vote")), line, us)
    options = line.get("options")
    if plain is None or not isinstance(options, list):
        return None
    hashed = {each for each in fields(plain).get(1, []) if isinstance(each, bytes)}
    known = {hashlib.sha256(str(each).encode()).digest(): str(each) for each in options}
    if not hashed <= known.keys():
        return None
    return [text for digest, text in known.items() if digest in hashed]


def response(part: Json, line: Json, us: Us) -> tuple[str, int] | None:
    """GOING, NOT_GOING or MAYBE, and how many come along; None when it can't be opened."""
    plain = _opened(EVENT_RESPONSE, mapping(part.get("eventCreationMessageKey")), part, line, us)
    if plain is None:
        return None
    found = fields(plain)
    guests = found.get(3, [0])[-1]
    word = RESPONSES.get(_number(found.get(1, [0])[-1]), "")
    return (word, _number(guests)) if word else None


def fields(raw: bytes) -> dict[int, list[bytes | int]]:
    """Protobuf without a schema: each field's values. What is broken off is left out."""
    found: dict[int, list[bytes | int]] = {}
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(raw, at)
            found.setdefault(key >> 3, []).append(number)
            continue
        size, at = _varint(raw, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, len(raw)), at)
        if at + size > len(raw):
            break
        found.setdefault(key >> 3, []).append(raw[at : at + size])
        at += size
    return found


def _opened(use: str, key: Json, box: Json, line: Json, us: Us) -> bytes | None:
    """Tried for each JID under which the two may be known: WhatsApp does not say by which it was made."""
    secret, message_id = _bytes(first_text(line, "secret")), first_text(key, "ID")
    sealed, start = _bytes(first_text(box, "encPayload")), _bytes(first_text(box, "encIV"))
    if len(secret) != 32 or not message_id or len(start) != 12:
        return None
    voters = _jids(us.jid, us.lid) if line.get("from_me") else _jids(line.get("sender"), line.get("sender_alt"))
    about = line.get("about")
    named = _jids(*about) if isinstance(about, list) else []
    others = _jids(us.jid, us.lid) if not line.get("from_me") else _jids(line.get("chat"), line.get("chat_alt"))
    for writer in dict.fromkeys([*named, *others, *voters]):
        for voter in voters:
            wide = f"{message_id}{writer}{voter}{use}".encode()
            box_key = HKDF(hashes.SHA256(), 32, None, wide).derive(secret)
            try:
                return AESGCM(box_key).decrypt(start, sealed, f"{message_id}\0{voter}".encode())
            except InvalidTag:
                continue
    return None


def _jids(*given: Any) -> list[str]:
    """Without devices."""
    found = []
    for each in given:
        user, _, server = str(each or "").partition("@")
        if user and server:
            found.append(f"{user.partition(':')[0]}@{server}")
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(raw) and shift < 70:
        number |= (raw[at] & 0x7F) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 0x80:
            break
    return number, at


def _number(value: bytes | int) -> int:
    return value if isinstance(value, int) and value < 1 << 31 else 0


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
