"""Errors of an errand reach who asked as what they were."""

from __future__ import annotations

import pytest

from wagate.errors import AccountStoppedError, NoAnswerError, NotSentError, OutcomeUnknownError, SendError
from wagate.errors import SendRefusedError as Refused
from wagate.outbound.errands import NAMES, failed


class BusyError(NotSentError):
    """A plugin's own."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotSentError("later", after=2.0, slow="account", code="429", http_status=429), NotSentError),
        (BusyError("later", after=1.0), NotSentError),
        (Refused("no", window=True, response="{}"), Refused),
        (AccountStoppedError("logged out", code="401"), AccountStoppedError),
        (NoAnswerError("silent"), NoAnswerError),
        (OutcomeUnknownError("who knows"), OutcomeUnknownError),
        (SendError("neither"), OutcomeUnknownError),
    ],
)
def test_an_error_comes_back_as_it_was(error: SendError, kind: type[SendError]) -> None:
    told = failed("1", error)
    back = NAMES[told.error](**told.details)
    assert type(back) is kind
    assert {name: getattr(error, name) for name in vars(back)} == vars(back)
