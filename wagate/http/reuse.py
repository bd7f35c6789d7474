"""May a connection carry another request? Only when nothing of this one can be left in it."""

from __future__ import annotations

from typing import Any

import httpcore2

from wagate.http.stream import Stream

Connection = httpcore2.AsyncConnectionInterface

_BODILESS = frozenset({204, 304})
_NOTHING = (b"", False)
"""h11's word for: no bytes, and not the end."""


def is_reusable(connection: Connection, request: httpcore2.Request, head: httpcore2.Response) -> bool:
    """Whether the request had wholly left before its answer began, that was wholly read, and nothing lies behind it.

    An answer whose end can be disputed (RFC 9112, section 6.3) is its connection's last, too.
    """
    return (
        connection.is_idle()
        and stream_of(head).settled
        and not _left_in_parser(connection)
        and not _disputed_end(request, head)
    )


def stream_of(head: httpcore2.Response) -> Stream:
    """The connection's bytes: ours, for we dialled it and asked for no other protocol."""
    stream = head.extensions["network_stream"]
    assert isinstance(stream, Stream)
    return stream


def _left_in_parser(connection: Connection) -> bool:
    """Bytes that h11 holds: they would be the next request's answer.

    httpcore2 keeps its parser to itself. Should it move, no connection is kept any more, and the tests say so.
    """
    inner: Any = connection
    while (deeper := getattr(inner, "_connection", None)) is not None:  # by a proxy, or direct
        inner = deeper
    parser = getattr(inner, "_h11_state", None)
    return parser is None or parser.trailing_data != _NOTHING


def _disputed_end(request: httpcore2.Request, head: httpcore2.Response) -> bool:
    """Two framings; or a body that is announced where none may follow, and may be on its way all the same."""
    lengths = set()
    chunked = False
    for name, value in head.headers:
        low = name.lower()
        if low == b"content-length":
            lengths.add(value)
        elif low == b"transfer-encoding":
            chunked = True
    if head.status in _BODILESS or request.method == b"HEAD":
        return chunked or bool(lengths - {b"0"})
    return chunked and bool(lengths)
