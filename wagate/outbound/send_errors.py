"""A provider's error as what it makes certain: sent, not sent, or unknown."""

from __future__ import annotations

from collections.abc import Iterator

from wagate.errors import NotSentError, OutcomeUnknownError, SendError
from wagate.http.errors import HttpError


def as_send_error(error: BaseException) -> SendError:
    """A foreign error as what is certain after it; a SendError is what it says.

    A request that certainly did not leave was not sent. All else may have been.
    """
    said = next((each for each in _leaves(error) if isinstance(each, SendError | HttpError)), error)
    match said:
        case SendError():
            return said
        case HttpError(sent=False):
            return NotSentError(said.reason)
        case HttpError():
            return OutcomeUnknownError(said.reason)
        case _:
            return OutcomeUnknownError(f"the provider's code failed: {type(said).__name__}")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
