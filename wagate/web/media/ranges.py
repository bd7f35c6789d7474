"""Conditional and partial GETs (RFC 9110, 13 and 14), for files that never change. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from wagate.errors import RequestError

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)


class UnsatisfiableError(RequestError):
    """416: the range lies outside of the file."""

    status = 416
    title = "Range not satisfiable"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer."""

    status: int
    """200, 206, or 304 without a body."""
    start: int
    stop: int
    """The byte after the last one."""


def part_of(headers: Mapping[str, str], *, etag: str, size: int) -> Part:
    """Which part of a file a request wants. A range that can't be read, and several at once, count as none.

    Raises:
        UnsatisfiableError: it begins behind the end.
    """
    if _names(headers.get("if-none-match", ""), etag):
        return Part(status=304, start=0, stop=0)
    whole = Part(status=200, start=0, stop=size)
    wanted = _RANGE.fullmatch(headers.get("range", "").strip())
    if wanted is None or headers.get("if-range", etag).strip() != etag:
        return whole
    first, last = wanted.groups()
    if not first and not last:
        return whole
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size or (not first and int(last) == 0):
        raise UnsatisfiableError(f"the file has {size} bytes")
    return whole if stop <= start else Part(status=206, start=start, stop=stop)


def _names(given: str, etag: str) -> bool:
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in given.split(","))
