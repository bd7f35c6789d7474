"""One key for one chat, whatever way its number or id is written."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

import phonenumbers

USER = "c.us"
GROUP = "g.us"
LID = "lid"
OPAQUE = "user"
STATUS = "status@broadcast"
"""Where stories come from; what is sent there is published as one."""

_MAX_ID = 200
_MAX_PHONE = 15  # ITU-T E.164
# hosted: a number whose device runs at Meta (whatsmeow, types/jid.go).
_DOMAINS = {
    USER: USER,
    "s.whatsapp.net": USER,
    "hosted": USER,
    GROUP: GROUP,
    LID: LID,
    "hosted.lid": LID,
    "newsletter": "newsletter",
    "broadcast": "broadcast",
    "bot": "bot",
    OPAQUE: OPAQUE,
}
_SCHEMES = ("whatsapp:", "tel:")
_WRITTEN_NUMBER = re.compile(r"[+\uff0b]?[\d\s().\-/\u2010-\u2015]++(?:(?:ext\.?|x|;ext=)\s*\d+)?", re.IGNORECASE)
_AGENT_AND_DEVICE = re.compile(r"(\d+)(?:[._]\d+)?(?::\d+)?", re.ASCII)


def chat_key(text: str) -> str:
    """The canonical key of a chat, contact or number; '' for ''. A key is its own key.

    ``+1 (234) 567-890``, ``1234567890``, ``1234567890@s.whatsapp.net``, ``1234567890:12@c.us``,
    ``whatsapp:+1234567890`` → ``1234567890@c.us``; ``…@g.us``, ``…@lid``, ``…@newsletter``, ``…@broadcast`` stay;
    what is no phone → ``<opaque>@user``.

    Numbers written with ``+`` are normalised with phonenumbers (``+44 020…`` → ``4420…``). Bare digits and JIDs are
    WhatsApp's own ids and stay as they are; for every valid number both give the same key.
    """
    text = text.strip()
    if len(text) > _MAX_ID:
        return f"{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}@{OPAQUE}"
    return _key(text)


def digits_of(chat: str) -> str:
    """How a key is shown to others: digits without ``+`` for a number, the bare id for an opaque one, else the key."""
    local, _, domain = chat.rpartition("@")
    return local if domain in {USER, OPAQUE} else chat


def is_group(chat: str) -> bool:
    """Whether the key is a group's."""
    return chat.endswith("@g.us")


def is_broadcast_list(chat: str) -> bool:
    """Whether the key is a broadcast list's: somebody's own, which only they see as a chat. Not the stories."""
    return chat.endswith("@broadcast") and chat != STATUS


@lru_cache(maxsize=8192)
def _key(text: str) -> str:
    if not text:
        return ""
    local, _, domain = text.rpartition("@")
    known = _DOMAINS.get(domain.lower()) if local else None
    if known is not None:
        return _jid(local.strip(), known)
    number = text
    for scheme in _SCHEMES:
        if text.lower().startswith(scheme):
            number = text[len(scheme) :].strip()
    digits = _phone(number)
    if digits:
        return f"{digits}@{USER}"
    return f"{number or text}@{OPAQUE}"


def _jid(local: str, domain: str) -> str:
    if domain in {USER, LID}:
        plain = _AGENT_AND_DEVICE.fullmatch(local.removeprefix("+"))
        if plain:
            return f"{plain[1]}@{domain}"
        digits = _phone(local) if domain == USER else ""
        return f"{digits}@{USER}" if digits else f"{local}@{LID if domain == LID else OPAQUE}"
    return f"{local}@{domain}"


def _phone(text: str) -> str:
    """Digits of a phone number, '' when the text is none."""
    if text.isascii() and text.isdigit():
        digits = text.removeprefix("00")
        return digits if 0 < len(digits) <= _MAX_PHONE else ""
    if not _WRITTEN_NUMBER.fullmatch(text):
        return ""
    if text[0] in "+\uff0b":
        try:
            parsed = phonenumbers.parse(text)
        except phonenumbers.NumberParseException:
            pass  # an unassigned country code: its digits are all there is
        else:
            return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)).removeprefix("+")
    digits = "".join(str(int(sign)) for sign in text if sign.isdecimal())
    return _phone(digits) if digits else ""
