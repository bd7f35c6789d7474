"""Read a target URL once, strictly, so that what is checked is what is dialled."""

from __future__ import annotations

import re
import socket
import string
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, quote, urlsplit

import idna
import msgspec

from wagate.http.errors import BadUrlError

LONGEST = 2048
"""Characters of a URL."""

_PLAIN_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_PORTS = {"http": 80, "https": 443}


class ParsedURL(msgspec.Struct, frozen=True, kw_only=True):
    """A URL that may be dialled, when the guard allows its address."""

    scheme: str
    """``https`` or ``http``."""
    host: str
    """Lower case, IDNA, no trailing dot; addresses in their one canonical form, IPv6 without brackets."""
    port: int
    """1 to 65535; the scheme's own when the URL has none."""
    target: str
    """Path and query as sent in the request line, ASCII, begins with ``/``."""
    address: IPv4Address | IPv6Address | None
    """The address when the host is one, in whatever notation; None when it is a name."""

    @property
    def authority(self) -> str:
        """The Host header: brackets around IPv6, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, *, allow_http: bool = False) -> ParsedURL:
    """Parse a target URL, or say what is wrong with it. Looks nothing up: the guard judges addresses.

    Numeric hosts are read as the C library reads them (``0x7f000001``, ``2130706433``, ``017700000001``, ``127.1``), so
    that they can't hide an address.

    Raises:
        BadUrlError: the message says what would be right.
    """
    parts = _split(url)
    if parts.scheme not in _PORTS:
        raise BadUrlError("the URL must begin with https://")
    if parts.scheme == "http" and not allow_http:
        raise BadUrlError("the URL must begin with https:// (or set delivery.allow_http = true)")
    if "@" in parts.netloc:
        raise BadUrlError("the URL must not hold a user name or password; put them in an Authorization header")
    host, address = _host(parts)
    return ParsedURL(
        scheme=parts.scheme, host=host, port=_port(parts), target=_target(parts.path, parts.query), address=address
    )


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST:
        raise BadUrlError(f"the URL is longer than {LONGEST} characters")
    # urlsplit drops tabs and line ends without a word, so they must be seen before it.
    if any(ch <= " " or "\x7f" <= ch <= "\xa0" or ch == "\\" for ch in url):
        raise BadUrlError("the URL must not hold spaces, control characters or backslashes; percent-encode them")
    try:
        return urlsplit(url)
    except ValueError as error:
        raise BadUrlError("the URL can't be read; write https://host/path") from error


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError as error:
        raise BadUrlError("the URL's port must be a number from 1 to 65535") from error
    if port == 0:
        raise BadUrlError("the URL's port must be a number from 1 to 65535")
    return port or _PORTS[parts.scheme]


def _target(path: str, query: str) -> str:
    target = (path or "/") + (f"?{query}" if query else "")
    return target if target.isascii() else quote(target, safe=string.punctuation)


def _host(parts: SplitResult) -> tuple[str, IPv4Address | IPv6Address | None]:
    raw = parts.hostname or ""
    if not raw:
        raise BadUrlError("the URL has no host; write https://host/path")
    if "%" in raw:
        raise BadUrlError("the URL's host must not hold % (a zone id or percent-encoding); write the plain name")
    if parts.netloc.startswith("["):
        address: IPv4Address | IPv6Address | None = _bracketed(raw)
    else:
        raw = _ascii(raw)
        address = _number(raw)
    return (raw, None) if address is None else (str(address), address)


def _bracketed(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError as error:
        raise BadUrlError("only an IPv6 address can be in brackets") from error


def _ascii(host: str) -> str:
    """The name as DNS wants it, without the root's dot."""
    try:
        # UTS 46 turns full-width digits and dots into plain ones: it must run before the host is looked at.
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise BadUrlError("the URL's host is not a valid name") from error
    name = name.removesuffix(".")
    if len(name) > 253 or not _PLAIN_HOST.fullmatch(name):
        raise BadUrlError(
            "the URL's host is not a valid name; labels are letters, digits and hyphens, separated by dots"
        )
    return name


def _number(host: str) -> IPv4Address | None:
    """The IPv4 address when the last label is a number (https://url.spec.whatwg.org/#ends-in-a-number-checker)."""
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        address = ip_address(socket.inet_aton(host))
    except OSError as error:
        raise BadUrlError("the URL's host ends in a number but is not an IPv4 address; write it as 1.2.3.4") from error
    assert isinstance(address, IPv4Address)
    return address
