"""How an outgoing request can fail. ``reason`` is what the attempt's record shows."""

from __future__ import annotations

from wagate.errors import WagateError


class HttpError(WagateError):
    """A request that brought no status line. ``reason`` names no secret: it never holds the URL's path or query.

    ``sent`` says whether the request may have reached the other side. False is certain: no connection came about, or
    it broke, or the time was up, before the request was wholly handed to the system.
    """

    sent = True

    def __init__(self, reason: str, *, sent: bool | None = None) -> None:
        """``sent`` None: as is usual for the class."""
        super().__init__(reason)
        self.reason = reason
        if sent is not None:
            self.sent = sent


class BadUrlError(HttpError):
    """The URL can't be used; the message names the cure. Trying again does not help."""

    sent = False


class AddressNotAllowedError(HttpError):
    """``Address not allowed: …``: the guard refused where the URL leads. A later DNS answer may be allowed."""

    sent = False


class NameNotFoundError(HttpError):
    """``ENOTFOUND: …``: the host has no address, or the name servers did not answer."""

    sent = False


class TimedOutError(HttpError):
    """``Connection timeout``: no status line within the request's time."""

    def __init__(self, *, sent: bool | None = None) -> None:
        super().__init__("Connection timeout", sent=sent)


class NetworkError(HttpError):
    """``ECONNREFUSED: …``, ``ECONNRESET: …``: the errno's name first."""


class TlsError(HttpError):
    """``TLS error: …``: no handshake, or a certificate that does not hold."""


class ProtocolError(HttpError):
    """``Protocol error: …``: what came back was not HTTP, or what should go out can't be HTTP."""


class TooLongError(HttpError):
    """The body of a download is over its limit. Trying again does not help."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the file is over {limit} bytes")


class BadSecretError(WagateError):
    """A signing secret that is not ``whsec_`` with base64 of 24 to 64 bytes."""
