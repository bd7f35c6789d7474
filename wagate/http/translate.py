"""Foreign errors into ours: the reason texts that attempts record and API answers show.

No text of a foreign exception is among them: it may repeat what it choked on, a secret in a header, say.
"""

from __future__ import annotations

import errno
import os
import re
import ssl
from collections.abc import Iterator

import httpcore2

from wagate.http.backend import RefusedError, UnknownNameError
from wagate.http.errors import (
    AddressNotAllowedError,
    HttpError,
    NameNotFoundError,
    NetworkError,
    ProtocolError,
    TimedOutError,
    TlsError,
)
from wagate.http.stream import NotSentError, OddAnswerError

FAILURES = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
)
"""All that a connection of httpcore2 raises."""

_CLOSED = "disconnected without sending a response"
"""How httpcore2 words the end of a connection that brought nothing, in a RemoteProtocolError."""


def translate(error: Exception, *, left: bool = True) -> HttpError:
    """Name what went wrong; the errno's name stands first, as Node and the field write it.

    ``left``: the request was wholly handed to the system.
    """
    sent = left and not isinstance(error, NotSentError | httpcore2.ProxyError | httpcore2.LocalProtocolError)
    match error:
        case RefusedError():
            return AddressNotAllowedError(str(error))
        case UnknownNameError():
            return NameNotFoundError(str(error))
        case httpcore2.TimeoutException():
            return TimedOutError(sent=sent)
        case httpcore2.ProxyError():
            status = re.match(r"\d{3}\b", str(error))
            return NetworkError(refused_by_proxy(int(status[0]) if status else None), sent=sent)
        case httpcore2.ProtocolError() if _CLOSED not in str(error):
            return ProtocolError(f"Protocol error: {_breach(error)}", sent=sent)
    found = next(filter(None, (_from_cause(cause, sent=sent) for cause in _causes(error))), None)
    return found or NetworkError("ECONNRESET: the connection was closed before an answer came", sent=sent)


def refused_by_proxy(status: int | None) -> str:
    """The reason of a proxy that passed nothing on; ``status`` None: it speaks SOCKS."""
    return f"ECONNREFUSED: the proxy answered {status or 'no'}"


def _breach(error: httpcore2.ProtocolError) -> str:
    match error:
        case OddAnswerError():
            return str(error)
        case httpcore2.LocalProtocolError():
            return "the request can't be written as HTTP"
    return "the answer is not HTTP"


def _from_cause(cause: BaseException, *, sent: bool) -> HttpError | None:
    """What one link of the chain of causes tells, if anything. An SSLError is an OSError whose errno is not one."""
    match cause:
        case ssl.SSLEOFError():
            return None  # the connection ended in mid-handshake: the network's doing
        case ssl.SSLCertVerificationError():
            return TlsError(f"TLS error: certificate verify failed: {cause.verify_message}", sent=sent)
        case ssl.SSLError():
            return TlsError(f"TLS error: {(cause.reason or 'no handshake').lower().replace('_', ' ')}", sent=sent)
        case OSError(errno=int(number)) if number in errno.errorcode:
            return NetworkError(f"{errno.errorcode[number]}: {os.strerror(number).lower()}", sent=sent)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
