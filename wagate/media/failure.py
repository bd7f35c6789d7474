"""Why a try brought no file, and whom that speaks of: the file alone, its provider, or another host.

Also why a sound could not be converted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wagate.errors import (
    AccountStoppedError,
    NotSentError,
    OutcomeUnknownError,
    SendError,
    SendRefusedError,
    WagateError,
)
from wagate.http import AddressNotAllowedError, BadUrlError, HttpError, TooLongError

PROVIDER: Final = ""
"""As ``host``: the account's own provider."""
DEAD: Final = frozenset({403, 404, 410})
"""Answers of a link that leads nowhere (any more); signed links answer 403 when they have expired."""
_OF_THE_HOST: Final = frozenset({401, 407, 408, 425, 429})


class NotFetchedError(WagateError):
    """A try that brought no file."""

    def __init__(
        self,
        reason: str,
        *,
        host: str | None = None,
        final: bool = False,
        after: float = 0.0,
        spent: bool = True,
        dead: bool = False,
    ) -> None:
        """``host``: whom it speaks of, `PROVIDER` or another host's name; None: of this file alone.

        ``final``: no other try can succeed. ``after``: seconds to wait at least. ``spent``: it was a try.
        ``dead``: the link leads nowhere.
        """
        super().__init__(reason)
        self.host = host
        self.final = final
        self.after = after
        self.spent = spent
        self.dead = dead
        self.counted = 0
        """`Provider.media_errors` of whoever gave it."""


class NotConvertedError(Exception):
    """Its text says why, plainly."""


class NoConverterError(NotConvertedError):
    """No fault of the file: this machine could not convert it now."""


def speaks_of_the_host(status: int) -> bool:
    """Whether an answer with this status would be the same for any other file."""
    return status >= 500 or status in _OF_THE_HOST


def read_send_error(error: SendError) -> NotFetchedError:
    """What a provider says about a file. Pure."""
    status = error.http_status or 0
    match error:
        case SendRefusedError():
            return NotFetchedError(error.reason, final=True)
        case AccountStoppedError():
            return NotFetchedError(error.reason, host=PROVIDER)
        case NotSentError():
            of_host = error.slow == "account" or speaks_of_the_host(status)
            return NotFetchedError(error.reason, host=PROVIDER if of_host else None, after=error.after or 0.0)
        case OutcomeUnknownError():
            return NotFetchedError(error.reason, host=PROVIDER)
    return NotFetchedError(error.reason, host=PROVIDER if speaks_of_the_host(status) else None)


def read_http_error(error: HttpError, host: str) -> NotFetchedError:
    """What the network says of a file at this host. Pure."""
    match error:
        case BadUrlError() | TooLongError():
            return NotFetchedError(error.reason, final=True)
        case AddressNotAllowedError():
            return NotFetchedError(error.reason)
    return NotFetchedError(error.reason, host=host)


@contextmanager
def read_errors(host: str = PROVIDER) -> Iterator[None]:
    """What providers and the network raise, as NotFetchedError."""
    try:
        yield
    except SendError as error:
        raise read_send_error(error) from error
    except HttpError as error:
        raise read_http_error(error, host) from error
