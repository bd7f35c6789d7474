"""From a checked URL to what httpcore2 sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import httpcore2
import msgspec

from wagate.http.errors import ProtocolError
from wagate.http.url import ParsedURL, check_url

OWN_HEADERS = frozenset(
    (
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "expect",
    )
)
"""Framing and connection headers: the client makes them itself, a caller's are ignored."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes."""

    parsed: ParsedURL
    url: httpcore2.URL
    host_header: bytes

    @property
    def key(self) -> tuple[str, str, int]:
        """Which kept connections fit."""
        return (self.parsed.scheme, self.parsed.host, self.parsed.port)

    @property
    def origin(self) -> httpcore2.Origin:
        """Scheme, host and port: what a connection is for."""
        return self.url.origin

    def request(self, method: str, headers: Mapping[str, str], content: bytes, user_agent: str) -> httpcore2.Request:
        """The request as bytes; ``User-Agent`` and ``Accept`` unless the caller gives them.

        Raises:
            ProtocolError: a header that is not plain ASCII; its value is not repeated.
        """
        lines = [(b"Host", self.host_header)]
        names = set()
        for name, value in headers.items():
            low = name.lower()
            if low not in OWN_HEADERS:
                check_header(name, value)
                names.add(low)
                lines.append((name.encode("ascii"), value.encode("ascii")))
        if "user-agent" not in names:
            lines.append((b"User-Agent", user_agent.encode()))
        if "accept" not in names:
            lines.append((b"Accept", b"*/*"))
        if content or method not in ("GET", "HEAD"):
            lines.append((b"Content-Length", b"%d" % len(content)))
        # The name stays the one on the certificate, also where httpcore2 needs brackets around an IPv6 host.
        extensions = {"sni_hostname": self.parsed.host}
        return httpcore2.Request(method, self.url, headers=lines, content=content, extensions=extensions)


def check_header(name: str, value: str) -> None:
    """Refuse what can't stand in a request's head before h11 does, whose message repeats it.

    Raises:
        ProtocolError: control characters, or none that are ASCII; a value may be a secret, and is not repeated.
    """
    if not _NAME.fullmatch(name):
        raise ProtocolError("Protocol error: a request header's name must be letters, digits and hyphens", sent=False)
    if not _VALUE.fullmatch(value):
        raise ProtocolError(
            f"Protocol error: the request header {name!r} must be plain ASCII without control characters", sent=False
        )


@lru_cache(maxsize=512)
def read_target(url: str, *, allow_http: bool, proxied: bool) -> Target:
    """Check a URL and keep the result: the same few targets get all requests.

    Raises:
        BadUrlError: as `check_url` says.
    """
    parsed = check_url(url, allow_http=allow_http)
    host = f"[{parsed.host}]" if proxied and ":" in parsed.host else parsed.host
    port = None if parsed.authority.endswith(host) else parsed.port  # a proxy gets the URL as its owner wrote it
    return Target(
        parsed=parsed,
        url=httpcore2.URL(scheme=parsed.scheme, host=host, port=port, target=parsed.target),
        host_header=parsed.authority.encode(),
    )
