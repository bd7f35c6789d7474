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

_REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_decode = msgspec.json.Decoder().decode


def read_json(body: bytes) -> dict[str, Any] | list[Any]:
    """The object or list that the bytes spell; equal keys: the last wins.

    Never refused, but mended in what is returned (the caller keeps the bytes): lone surrogates, NUL and bytes that are
    not UTF-8 become U+FFFD, numbers beyond a double become the largest double of their sign, a byte order mark and
    raw control characters in strings pass.

    Raises:
        BadRequestError: empty, malformed (with its place; NaN and Infinity too), a bare scalar, or nested deeper than
            `MAX_DEPTH`. The field is ''.
    """
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
        raise BadRequestError("the body is empty, a JSON object is needed", field="")
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
        return _UNSTORABLE.sub(_REPLACEMENT, value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub(_REPLACEMENT, key): _mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return value


def _refuse_deep(document: Any) -> None:
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
    raise _too_deep()


def _too_deep() -> BadRequestError:
    return BadRequestError(f"the JSON is nested deeper than {MAX_DEPTH} levels", field="")


def _no_number(literal: str) -> NoReturn:
    raise BadRequestError(f"malformed JSON: {literal} is no JSON number", field="")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else math.copysign(sys.float_info.max, number)


def _whole_or_finite(digits: str) -> int | float:
    # int() of thousands of digits is quadratic, and refused by Python above 4300.
    return int(digits) if len(digits) <= 300 else _finite(digits)
