"""How an outgoing request can fail. ``reason`` is what the attempt's record shows."""

from __future__ import annotations

from wagate.errors import WagateError


class HttpError(WagateError):
    """A request that brought no status line. ``reason`` names no secret: it never holds the URL's path or query."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadUrlError(HttpError):
    """The URL can't be used as it is; the message names the cure. Trying again does not help."""


class AddressNotAllowedError(HttpError):
    """``Address not allowed: …``: the guard refused where the URL leads. A later DNS answer may be allowed."""


class NameNotFoundError(HttpError):
    """``ENOTFOUND: …``: the host has no address, or the name servers did not answer."""


class TimedOutError(HttpError):
    """``Connection timeout``: no status line within the request's time."""

    def __init__(self) -> None:
        super().__init__("Connection timeout")


class NetworkError(HttpError):
    """``ECONNREFUSED: …``, ``ECONNRESET: …``: the errno's name first."""


class TlsError(HttpError):
    """``TLS error: …``: no handshake, or a certificate that does not hold."""


class ProtocolError(HttpError):
    """``Protocol error: …``: what came back was not HTTP, or what should go out can't be HTTP."""


class BadSecretError(WagateError):
    """A signing secret that is not ``whsec_`` with base64 of 24 to 64 bytes."""
