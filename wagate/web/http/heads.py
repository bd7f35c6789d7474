"""Heads of HTTP/1: requests that leave nothing to judge, and responses as h11 writes them."""

from __future__ import annotations

import re
from functools import lru_cache

import h11
import msgspec
from hypercorn.config import Config

from wagate.http.plain_heads import FIELDS, fields, is_length

Headers = tuple[tuple[bytes, bytes], ...]

_HEAD = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-~]*+) HTTP/1\.1\r\n" + FIELDS)
"""All that clients usually send."""
_ODD = frozenset({b"transfer-encoding", b"upgrade", b"expect"})
"""Headers that change how the rest of the connection is to be read."""


class PlainHead(msgspec.Struct, frozen=True):
    """The head of a request."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    length: int
    """Bytes of its body."""
    end: int
    """Where the body begins."""


def plain_head(data: bytes) -> PlainHead | None:
    """The head at the beginning of ``data``; None when it is not whole, or has anything in it that could be doubted.

    Each header once, ``Host`` among them; no coding of the transfer, no change of the protocol, no other end of the
    connection: where the body ends is then a number of up to 18 digits, and nothing else.
    """
    found = _HEAD.match(data)
    if found is None:
        return None
    method, target, lines = found.groups()
    headers = [(name.lower(), value) for name, value in fields(lines)]
    each = dict(headers)
    if len(each) != len(headers) or b"host" not in each or not _ODD.isdisjoint(each):
        return None
    if each.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    length = each.get(b"content-length", b"0")
    if not is_length(length):
        return None
    return PlainHead(method, target, headers, int(length), found.end())


@lru_cache(8)
def common_headers(config: Config, second: int) -> Headers:  # noqa: ARG001  (Date changes with it)
    """What every response has."""
    return tuple(config.response_headers("h11"))


@lru_cache(256)
def checked(status: int, headers: Headers) -> h11.Response:
    """A response's head, checked by h11. It would check the same few heads again and again."""
    return h11.Response(status_code=status, headers=list(headers))


@lru_cache(256)
def written(status: int, headers: Headers) -> tuple[bytes, bool]:
    """A response's head as h11 writes it for HTTP/1.1, and whether the connection ends with it.

    h11.LocalProtocolError: it is none.
    """
    scribe = h11.Connection(h11.SERVER)
    scribe.receive_data(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    scribe.next_event()
    closes = any(name.lower() == b"connection" and b"close" in value.lower() for name, value in headers)
    return scribe.send(checked(status, headers)) or b"", closes
