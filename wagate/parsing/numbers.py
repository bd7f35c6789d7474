"""Numbers that WhatsApp and people write in two ways."""

from __future__ import annotations

import re
from functools import lru_cache

from wagate.parsing.chats import USER

_BRAZIL_WITH = re.compile(r"55\d{2}9\d{8}", re.ASCII)
_BRAZIL_WITHOUT = re.compile(r"55\d{2}[6-9]\d{7}", re.ASCII)
_EXTRA_DIGIT = (("54", "9", 10), ("52", "1", 10))
"""Argentina and Mexico: country, the extra digit of mobiles, digits without it."""


def number_forms(digits: str) -> tuple[str, ...]:
    """The number, then how else it is written.

    Brazil: mobiles with and without the ninth digit; Argentina: with and without the 9 after 54; Mexico: with and
    without the 1 after 52 (source: Chatwoot's app/services/whatsapp/phone_normalizers, WhatsApp's own ids).
    """
    if _BRAZIL_WITH.fullmatch(digits):
        return digits, digits[:4] + digits[5:]
    if _BRAZIL_WITHOUT.fullmatch(digits):
        return digits, f"{digits[:4]}9{digits[4:]}"
    for country, extra, rest in _EXTRA_DIGIT:
        local = digits.removeprefix(country)
        if local != digits and len(local) == rest:
            return digits, f"{country}{extra}{local}"
        if local != digits and len(local) == rest + 1 and local.startswith(extra):
            return digits, f"{country}{local[1:]}"
    return (digits,)


def longest_form(key: str) -> str:
    """One form of a chat's key for all of a number's: the one with the extra digit."""
    return max(key_forms(key), key=len)


@lru_cache(8192)
def key_forms(key: str) -> tuple[str, ...]:
    """The same of a chat's key; a key that is no number is its only form."""
    local, _, domain = key.rpartition("@")
    return tuple(f"{form}@{USER}" for form in number_forms(local)) if domain == USER else (key,)
