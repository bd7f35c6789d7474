"""A provider's error as what it makes certain: sent, not sent, or unknown."""

from __future__ import annotations

from wagate.errors import NoAnswerError, NotSentError, OutcomeUnknownError, PluginError, SendError
from wagate.http.errors import HttpError, TimedOutError
from wagate.plugins.wall import leaves


def as_send_error(error: BaseException) -> SendError:
    """A foreign error as what is certain after it; a SendError is what it says.

    A request that certainly did not leave was not sent. All else may have been.
    """
    said = next((each for each in leaves(error) if isinstance(each, SendError | HttpError)), error)
    match said:
        case SendError():
            return said
        case HttpError(sent=False):
            return NotSentError(said.reason)
        case TimedOutError():
            return NoAnswerError(said.reason)
        case HttpError():
            return OutcomeUnknownError(said.reason)
        case PluginError():
            return OutcomeUnknownError(str(said))
        case _:
            return OutcomeUnknownError(f"the provider's code failed: {type(said).__name__}")
