"""A webhook's body as JSON: strict about form, lenient about what a signed body may oddly carry."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any, NoReturn

import msgspec

from wagate.errors import BadRequestError

MAX_DEPTH = 64
"""Deepest nesting that is taken in; WhatsApp's own objects stay under 20."""
MAX_ITEMS = 100_000
"""Most values in one body; the fullest webhooks of providers have some thousands. Each costs time and 64 bytes."""

_REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LONG = 10_000
_STAND_INS = "\ue0f7\uf123\uf8e1"
"""Private characters that hardly any text has."""
_decode = msgspec.json.Decoder().decode


def refuse_many(body: bytes, most: int = MAX_ITEMS) -> None:
    """Refuse JSON of too many values, before it is decoded. BadRequestError.

    Counts commas and brackets, in texts too: never fewer than the values, and in milliseconds for ten megabytes.
    """
    if body.count(b",") + body.count(b"{") + body.count(b"[") > most:
        raise BadRequestError(f"the JSON has more than {most} values", field="")


def refuse_deep(body: bytes) -> None:
    """Refuse JSON nested deeper than `MAX_DEPTH`, before it is walked. BadRequestError names the outer field."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return  # It can't be deeper.
    try:
        document = _decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, UnicodeError):
        return  # Malformed: who decodes it says where.
    for name, value in document.items() if isinstance(document, dict) else [("", document)]:
        _refuse_deep([value], name)


def read_json(body: bytes) -> dict[str, Any] | list[Any]:
    """The object or list that the bytes spell; equal keys: the last wins.

    Never refused, but mended in what is returned (the caller keeps the bytes): lone surrogates, NUL and bytes that are
    not UTF-8 become U+FFFD, numbers beyond a double become the largest double of their sign, a byte order mark and
    raw control characters in strings pass.

    Raises:
        BadRequestError: empty, malformed (with its place; NaN and Infinity too), a bare scalar, nested deeper than
            `MAX_DEPTH`, or of more than `MAX_ITEMS` values. The field is ''.
    """
    refuse_many(body)
    try:
        document = _decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, UnicodeError):
        document = _read_odd(body)
    else:
        if rb"\u0000" in body:
            _refuse_deep(document)
            document = _mended(document)
    # No more brackets than the limit: it can't be deeper, and the usual body needs no walk.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _refuse_deep(document)
    if not isinstance(document, dict | list):
        raise BadRequestError("the body must be a JSON object", field="")
    return document


def read_object(body: bytes) -> dict[str, Any]:
    """`read_json` where only an object will do.

    Raises:
        BadRequestError: as `read_json`, and for a list.
    """
    document = read_json(body)
    if not isinstance(document, dict):
        raise BadRequestError("the body must be a JSON object, not a list", field="")
    return document


def _read_odd(body: bytes) -> Any:
    """What the fast decoder refused: mend it, or say where it is malformed."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    if not text.strip():
        raise BadRequestError("the body is empty; a JSON object is needed", field="")
    try:
        document = json.loads(
            text, strict=False, parse_constant=_no_number, parse_float=_finite, parse_int=_whole_or_finite
        )
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        raise BadRequestError(f"malformed JSON at {place}: {error.msg}", field="") from None
    _refuse_deep(document)
    return _mended(document)


def _mended(value: Any) -> Any:
    """The same value with every NUL and lone surrogate replaced; its depth is bounded already."""
    if isinstance(value, str):
        return _mended_text(value)
    if isinstance(value, dict):
        return {_mended_text(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return value


def _mended_text(text: str) -> str:
    """A long text at the speed of the codecs: a pattern takes longer than may be for megabytes of lone surrogates."""
    if len(text) < _LONG:
        return _UNSTORABLE.sub(_REPLACEMENT, text)
    text = text.replace("\0", _REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    stand_in = next((each for each in _STAND_INS if each not in text), "")
    if not stand_in:
        return _UNSTORABLE.sub(_REPLACEMENT, text)
    # The codec's own replacement is a question mark; the text's own question marks step aside for it.
    marked = text.replace("?", stand_in).encode("utf-8", "replace").decode()
    return marked.replace("?", _REPLACEMENT).replace(stand_in, "?")


def _refuse_deep(document: Any, field: str = "") -> None:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise _too_deep(field)


def _too_deep(field: str = "") -> BadRequestError:
    return BadRequestError(f"the JSON is nested deeper than {MAX_DEPTH} levels", field=field)


def _no_number(literal: str) -> NoReturn:
    raise BadRequestError(f"malformed JSON: {literal} is not a JSON number", field="")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else math.copysign(sys.float_info.max, number)


def _whole_or_finite(digits: str) -> int | float:
    # int() of thousands of digits is quadratic, and refused by Python above 4300.
    return int(digits) if len(digits) <= 300 else _finite(digits)
