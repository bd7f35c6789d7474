"""Header fields that leave nothing to judge; less than RFC 9112 allows, and less than h11 takes."""

from __future__ import annotations

import re
from typing import Final

FIELDS: Final = rb"((?:[-!#$%&'*+.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n)++)\r\n"
"""All of a head's fields and its end, as a pattern with one group."""
_FIELD = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")


def fields(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Names as they came and values of what the group of `FIELDS` matched."""
    return [(name, value.rstrip(b" \t")) for name, value in _FIELD.findall(lines)]


def is_length(value: bytes) -> bool:
    """Whether it is a ``Content-Length`` of up to 18 digits."""
    return _LENGTH.fullmatch(value) is not None
