"""Files that came in base64 inside a webhook's body."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any

from wagate.errors import BadRequestError, NotFoundError
from wagate.parsing.fields import mapping
from wagate.parsing.jsonbody import read_object

SLICE = 256 * 1024
"""Letters that are decoded at once; base64 goes by fours."""


def inline_data(raw: bytes, place: str) -> str:
    """The base64 text at a place like ``data.messageMedia``. NotFoundError: there is none."""
    try:
        found: Any = read_object(raw)
    except BadRequestError as error:
        raise NotFoundError("the body that the file came in can't be read any more") from error
    for name in place.split("."):
        found = mapping(found).get(name)
    text = mapping(found).get("data")
    if not isinstance(text, str) or not text:
        raise NotFoundError("the body that the file came in does not hold it")
    return "".join(text.rpartition(";base64,")[2].split())


def decoded(text: str) -> Iterator[bytes]:
    """The bytes of base64 text, a slice at a time. Raises ValueError when it is none."""
    text = text.rstrip("=")
    text = text.replace("-", "+").replace("_", "/") if "-" in text or "_" in text else text
    text += "=" * (-len(text) % 4)
    for start in range(0, len(text), SLICE):
        yield a2b_base64(text[start : start + SLICE].encode("ascii"), strict_mode=True)
