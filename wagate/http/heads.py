"""What comes before an answer: informational ones (1xx), handed on one by one and counted."""

from __future__ import annotations

import re

import httpcore2

MOST_INFORMATIONAL = 16
"""Informational answers to one request; httpcore2 would read on for ever."""
_LONGEST = 100 * 1024
"""Bytes of one head; h11 refuses what is longer."""
_STATUS_AT = len(b"HTTP/1.1 1")
_ONE = ord("1")
_INFORMATIONAL = re.compile(rb"HTTP/\d\.\d 1")
_BLANK_LINE = re.compile(rb"\n\r?\n")


class OddAnswerError(httpcore2.RemoteProtocolError):
    """What came back was not HTTP as we take it; its message is ours, and may be shown."""


class Heads:
    """The bytes of one answer until its own head begins; all that follows need not come here."""

    def __init__(self) -> None:
        self.held = bytearray()
        """Received, not handed on."""
        self.passing = False
        """The answer's own head has begun."""
        self._count = 0

    def restart(self) -> None:
        """The next request leaves."""
        self.passing = False
        self._count = 0

    def feed(self, more: bytes) -> bytes:
        """Take in what came, and `take`. Nearly always that is the answer itself, which needs no second look."""
        if not self.held and len(more) >= _STATUS_AT and more[_STATUS_AT - 1] != _ONE:
            self.passing = True
            return more
        self.held += more
        return self.take()

    def take(self) -> bytes:
        """One informational answer, or all from the answer's own head on; ``b""``: more must come first.

        Raises:
            OddAnswerError: one informational answer too many.
        """
        held = self.held
        if len(held) < _STATUS_AT and b"HTTP/".startswith(held[:5]):
            return b""
        if not _INFORMATIONAL.match(held) or len(held) > _LONGEST:
            return self.rest()
        end = _BLANK_LINE.search(held)
        if end is None:
            return b""
        self._count += 1
        if self._count > MOST_INFORMATIONAL:
            raise OddAnswerError(f"more than {MOST_INFORMATIONAL} informational answers")
        one = bytes(held[: end.end()])
        del held[: end.end()]
        return one

    def rest(self) -> bytes:
        """All that is held; h11 judges it."""
        self.passing = True
        rest = bytes(self.held)
        self.held.clear()
        return rest
