"""Outgoing HTTP: guarded against requests to the inside, bounded in time and memory, signed."""

from wagate.http.answer import Response
from wagate.http.client import HttpClient
from wagate.http.download import Downloaded
from wagate.http.errors import (
    AddressNotAllowedError,
    BadSecretError,
    BadUrlError,
    HttpError,
    NameNotFoundError,
    NetworkError,
    ProtocolError,
    TimedOutError,
    TlsError,
    TooLongError,
)
from wagate.http.guard import Guard, Trust, parse_networks
from wagate.http.handover import Handover, watch_handover
from wagate.http.owner import on_behalf_of
from wagate.http.proxy import read_proxy
from wagate.http.resolve import Resolver
from wagate.http.url import ParsedURL, check_url

__all__ = [
    "AddressNotAllowedError",
    "BadSecretError",
    "BadUrlError",
    "Downloaded",
    "Guard",
    "Handover",
    "HttpClient",
    "HttpError",
    "NameNotFoundError",
    "NetworkError",
    "ParsedURL",
    "ProtocolError",
    "Resolver",
    "Response",
    "TimedOutError",
    "TlsError",
    "TooLongError",
    "Trust",
    "check_url",
    "on_behalf_of",
    "parse_networks",
    "read_proxy",
    "watch_handover",
]
