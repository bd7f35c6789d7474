"""JSON with files inside, piece by piece: long strings under one key are cut out, the rest stays small."""

from __future__ import annotations

import re
from typing import Final

LONG: Final = 64 * 1024
"""Bytes of a string from which on it is cut out."""
_TEXT: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""What a string holds up to its closing quote, or up to a backslash whose letter is still to come."""


class Cutter:
    """Cuts out strings under ``key`` that are longer than `LONG`; a mark stands in the place of each.

    Nothing is judged here: what is no JSON comes out as no JSON.
    """

    def __init__(self, key: str, *, mark: str) -> None:
        """``mark``: a text that nobody can guess; a number is put behind it."""
        self._key = key.encode()
        self._mark = mark
        self.places: dict[str, tuple[int, int]] = {}
        """Mark → from where to where its string stands in the whole body, without its quotes."""
        self._passed = 0
        """Bytes of the body before this piece."""
        self._held = b""
        """A backslash at the end of the last piece."""
        self._inside = self._value = False
        self._begin = 0
        self._text = bytearray()
        """The string that has begun; at most a piece more than `LONG` of one that is cut out."""
        self._last = b""
        """The beginning of the last whole string: a value's key, when a colon follows it."""

    def feed(self, piece: bytes) -> bytes:
        """The next piece of the body → what stays of it."""
        self._passed -= len(self._held)
        piece, self._held = self._held + piece, b""
        stays, at = bytearray(), 0
        while at < len(piece):
            if not self._inside:
                quote = piece.find(b'"', at)
                between = piece[at:] if quote < 0 else piece[at:quote]
                if said := between.strip():
                    self._value = said == b":"
                stays += between
                at += len(between) + 1
                self._inside, self._begin = quote >= 0, self._passed + at
                continue
            found = _TEXT.match(piece, at)
            assert found is not None  # it matches nothing, too
            if not self._is_cut:
                self._text += found[0]
            at = found.end() + 1
            if piece[found.end() : at] == b'"':
                self._close(stays, self._passed + found.end())
            else:
                self._held = piece[found.end() :]
        self._passed += len(piece)
        return bytes(stays)

    def end(self) -> bytes:
        """What was held back of a body that ends within a string."""
        return (b'"' + bytes(self._text) if self._inside else b"") + self._held

    @property
    def _is_cut(self) -> bool:
        return len(self._text) > LONG and self._value and self._last == self._key

    def _close(self, stays: bytearray, stop: int) -> None:
        text = bytes(self._text)
        if self._is_cut:
            mark = f"{self._mark}{len(self.places)}"
            self.places[mark] = (self._begin, stop)
            text = mark.encode()
        stays += b'"' + text + b'"'
        self._last = text[: len(self._key) + 1]  # no more is needed to tell that it is another key
        self._text.clear()
        self._inside = self._value = False
