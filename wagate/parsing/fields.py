"""Typed values out of arbitrary JSON: what is not of the type asked for is as good as absent, or named in an error."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from wagate.errors import BadRequestError

_MAX_IDENTIFIER = 255
_LONG_TEXT = 4096
_MILLISECONDS_FROM = 1e11
"""Unix numbers from here on are milliseconds (as seconds: the year 5138)."""


def mapping(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def first_text(document: dict[str, Any], *keys: str) -> str:
    """The first of these keys that holds a string with something in it, else ''."""
    for key in keys:
        value = document.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def whole(value: object) -> int | None:
    """A whole number of at most 18 digits, also when written as a float or in digits; None for all else."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None
    if isinstance(value, int | float) and abs(value) < 10**18 and value == int(value):
        return int(value)
    return None


def degrees(value: object) -> float | int | None:
    """Latitude or longitude, also as text, which some engines write; None for all else."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) < 40 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 180:
        return None
    return value


def identifier(value: object) -> str:
    """An id as text, '' when there is none; over 255 characters: cut and hashed, so that it still fits an index."""
    if isinstance(value, str):
        if len(value) <= _MAX_IDENTIFIER:
            return value
        return f"{value[:180]}#{fingerprint(value)}"
    number = whole(value)
    return "" if number is None else str(number)


def fingerprint(*texts: str) -> str:
    """32 hexadecimal characters that tell these texts from others."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "replace"))
        digest.update(b"\xff")
    return digest.hexdigest()[:32]


def instant(value: object) -> datetime | None:
    """A moment in aware UTC from ISO 8601 text, or Unix seconds or milliseconds as a number or digits, else None.

    Text without an offset is UTC. Moments up to 1970 are none: senders write 0 for "not known".
    """
    if isinstance(value, str):
        return _from_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared before it is divided: an integer may be too long for a float.
    if not 0 < value < 1e14:
        return None
    seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _from_text(text: str) -> datetime | None:
    if len(text) > 40:
        return None
    try:
        return instant(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= 1970 else None


def shortened(value: Any) -> Any:
    """The same JSON with texts over 4 kB (files in base64) replaced by a note; the raw bytes still have them."""
    if isinstance(value, str):
        return value if len(value) <= _LONG_TEXT else f"({len(value)} characters, see the raw body)"
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value


def wrong(field: str, detail: str) -> BadRequestError:
    """The error that names one wrong field."""
    return BadRequestError(f"{field or 'the body'}: {detail}", field=field)
