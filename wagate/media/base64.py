"""Files in base64 inside JSON: where they stand, and their bytes, a slice at a time."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any, Final

from wagate.errors import BadRequestError, NotFoundError
from wagate.parsing.fields import mapping
from wagate.parsing.jsonbody import read_object

SLICE: Final = 256 * 1024
"""Letters that are decoded at once; base64 goes by fours."""
MOST_ADDRESS: Final = 256
"""Letters of ``data:image/jpeg;base64,`` at most."""
_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_BLANK: Final = b" \t\r\n"
_ESCAPE: Final = re.compile(rb"\\(?:u00([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LONGEST_ESCAPE: Final = 6
_SHORT: Final = {b"n": b"", b"r": b"", b"t": b""}


def file_at(document: object, place: str) -> dict[str, Any]:
    """What stands at a place like ``data.messageMedia``; {} when nothing does."""
    for name in place.split("."):
        document = mapping(document).get(name)
    return mapping(document)


def inline_data(raw: bytes, place: str) -> str:
    """The base64 text at a place like ``data.messageMedia``. NotFoundError: there is none."""
    try:
        found = file_at(read_object(raw), place)
    except BadRequestError as error:
        raise NotFoundError("the body that contained the file can no longer be read") from error
    text = found.get("data")
    if not isinstance(text, str) or not text:
        raise NotFoundError("the body that contained the file no longer contains it")
    return text


def decoded(text: str) -> Iterator[bytes]:
    """The bytes of base64 text, a slice at a time. Raises ValueError when it is none."""
    decoder = Decoder()
    for start in range(0, len(text), SLICE):
        yield decoder.feed(text[start : start + SLICE].encode("ascii"))
    yield decoder.end()


class Decoder:
    """Decodes what comes piece by piece, with or without padding, blanks, ``data:…;base64,``; - and _ are + and /."""

    def __init__(self, *, escaped: bool = False) -> None:
        r"""``escaped``: as it stands in JSON, where ``/`` may be ``\/``."""
        self._escaped = escaped
        self._begun = self._padded = False
        self._left = b""
        """What is not decoded yet."""

    def feed(self, text: bytes) -> bytes:
        """The next letters → the bytes that are whole now. Raises ValueError."""
        text, self._left = self._left + text, b""
        if not self._begun:
            if len(text) < MOST_ADDRESS:
                self._left = text
                return b""
            text = self._begin(text)
        return self._decode(text)

    def end(self) -> bytes:
        """The last bytes. Raises ValueError."""
        text, self._left = self._left, b""
        found = self._decode(text if self._begun else self._begin(text))
        rest = self._left
        if b"\\" in rest:
            raise ValueError("it ends within an escape")
        return found + a2b_base64(rest + b"=" * (-len(rest) % 4), strict_mode=True)

    def _begin(self, text: bytes) -> bytes:
        self._begun = True
        head, mark, rest = text[:MOST_ADDRESS].partition(b";base64,")
        return rest + text[MOST_ADDRESS:] if mark else head + text[MOST_ADDRESS:]

    def _decode(self, text: bytes) -> bytes:
        held = b""
        if self._escaped and b"\\" in text:
            text, held = _unescaped(text)
        text = text.translate(_SAFE, _BLANK)
        bare = text.rstrip(b"=")
        if self._padded and bare:
            raise ValueError("there is data after its padding")
        self._padded = self._padded or len(bare) < len(text)
        whole = len(bare) // 4 * 4
        self._left = bare[whole:] + held
        if self._padded and not held:
            # What is left is the end: more letters behind the padding are refused above.
            self._left, rest = b"", self._left
            return a2b_base64(bare[:whole] + rest + b"=" * (-len(rest) % 4), strict_mode=True)
        return a2b_base64(bare[:whole], strict_mode=True)


def _unescaped(text: bytes) -> tuple[bytes, bytes]:
    r"""Letters for ``\/``, ``\u002b`` and the like; an escape that may not be whole is held back."""
    last = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE + 1))
    held = b""
    if last >= 0 and text[last + 1 : last + 2] in {b"", b"u"}:
        text, held = text[:last], text[last:]
    return _ESCAPE.sub(_letter, text), held


def _letter(found: re.Match[bytes]) -> bytes:
    code, short = found[1], found[2]
    return bytes([int(code, 16)]) if code else _SHORT.get(short, short)
