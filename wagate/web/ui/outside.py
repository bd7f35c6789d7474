"""Texts from outside, in a page and in its links."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of text, and those that end that."""


def path(text: str) -> str:
    """A part of a URL's path: others' ids may hold anything."""
    return quote(text, safe="/:@+,=~")


def kept_in(value: Any) -> Any:
    """Text that turns no other: where it turns direction and does not end that itself, or overrides the letters' own.

    A file ``invoice…fdp.exe`` would be read as ``invoiceexe.pdf``, and all behind it from right to left. Names in
    Arabic or Hebrew that end what they begin stay as they are.
    """
    if type(value) is not str or value.isascii():
        return value
    ends: list[str] = []
    for each in TURNING.findall(value):
        if each in "\u202d\u202e" or (each in "\u202c\u2069" and (not ends or ends.pop() != each)):
            return TURNING.sub("\ufffd", value)
        if each not in "\u202c\u2069":
            ends.append("\u2069" if each >= "\u2066" else "\u202c")
    return TURNING.sub("\ufffd", value) if ends else value
