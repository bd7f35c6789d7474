"""The little of ASGI that the hot path needs: a request with its body, an answer in two messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import parse_qsl, quote

from wagate.media.inside import BodyOnDisk

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Networks = tuple[IPv4Network | IPv6Network, ...]

JSON = "application/json"
WHOLE = "wagate.whole"
"""An extension of the scope: the body came with the head, so that nobody has to wait for it."""


class ClientGoneError(Exception):
    """The client went away before its body was whole; there is nobody to answer."""


@dataclass
class Request:
    """One HTTP request on the hot path."""

    scope: Scope
    trusted_proxies: Networks
    on_disk: BodyOnDisk | None = None
    """Its body, when that is too large for memory: then what is handed on as the body has marks in place of files."""

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """Decoded path."""
        return str(self.scope["path"])

    @property
    def raw_target(self) -> str:
        """Path and query exactly as they came."""
        raw = self.scope.get("raw_path") or quote(self.path)
        path = raw.decode("latin-1") if isinstance(raw, bytes) else str(raw)
        query = self.scope["query_string"].decode("latin-1")
        return f"{path}?{query}" if query else path

    @property
    def origin(self) -> str:
        """Scheme and host as the sender wrote them, by the Host header and what a trusted proxy says."""
        peer = str((self.scope.get("client") or ("",))[0])
        said = self.headers if _is_trusted(peer, self.trusted_proxies) else {}
        scheme = said.get("x-forwarded-proto", "").partition(",")[0].strip() or str(self.scope.get("scheme", "http"))
        host = said.get("x-forwarded-host", "").partition(",")[0].strip() or self.headers.get("host", "")
        return f"{scheme}://{host}"

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name; the last one counts."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.scope["headers"]}

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; the last one counts."""
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    @cached_property
    def address(self) -> str:
        """Who asks: the peer, or what a trusted proxy says about it."""
        return client_address(self.scope, self.headers.get("x-forwarded-for"), self.trusted_proxies)


def client_address(scope: Scope, forwarded_for: str | None, trusted: Networks) -> str:
    """The nearest address that no trusted proxy has; '' on a unix socket."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    for hop in reversed((forwarded_for or "").split(",")):
        if not _is_trusted(address, trusted) or not hop.strip():
            break
        address = hop.strip()
    return address


def _is_trusted(address: str, trusted: Networks) -> bool:
    if not trusted:
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)


async def respond(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a whole answer."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})
