"""What an answer that is no success means for a message, and how long Meta asks to wait. Pure.

Decided by ``error.code``, then by the HTTP status, never by the text.
Sources: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes;
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from wagate.errors import (
    AccountStoppedError,
    BadRequestError,
    NotSentError,
    OutcomeUnknownError,
    SendError,
    SendRefusedError,
)
from wagate.http import Response
from wagate.parsing.fields import first_text, identifier, mapping, whole
from wagate.parsing.jsonbody import read_object
from wagate.parsing.retry_after import LONGEST, seconds_asked_for

MOST_KEPT: Final = 2000
"""Characters of an answer that a message's record keeps."""
WINDOW: Final = (
    "The 24 h window is closed: this person has not written in the last 24 hours, so only a template reaches them."
)

Slow = Literal["", "chat", "account"]
BUSINESS_USAGE: Final = "x-business-use-case-usage"


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """Not sent, try again."""

    after: float | None = None
    """Seconds; None: by the schedule."""
    slow: Slow = ""


_LATER: Final[dict[int, Later]] = {
    1: Later(),
    2: Later(),
    4: Later(after=60.0, slow="account"),
    80007: Later(after=60.0, slow="account"),
    130429: Later(after=5.0, slow="account"),
    131056: Later(after=6.0, slow="chat"),
    131000: Later(),
    131016: Later(),
    131057: Later(after=60.0),
    133004: Later(after=60.0),
    133016: Later(after=3600.0, slow="account"),
}
_WINDOW: Final = 131047
_NEVER_BY_ITSELF: Final = 131049
_REFUSED: Final = frozenset(
    {_WINDOW, _NEVER_BY_ITSELF}
    | {33, 100, 130472, 130497, 131008, 131009, 131021, 131026, 131030, 131031, 131037, 131050, 131051, 131052, 131053}
    | {131062, 137000, *range(132000, 132017)}
)
_OPERATOR: Final = frozenset({368, 131042, 131048, 131064})
_TOKEN: Final = frozenset({0, 3, 10, 190, *range(200, 300)})
_NO_SUCH_OBJECT: Final = 33
"""Subcode of 100 when the object of the path itself is not there, or not for this token."""

_PLAIN: Final[dict[int, str]] = {
    _WINDOW: WINDOW,
    _NEVER_BY_ITSELF: "Meta held it back to keep this person's chats healthy; wait a day or more before trying again",
    190: "the access token is wrong or has expired; make a new one and set it as access_token",
    368: "the account is blocked for a while for breaking WhatsApp's policies; see Business Support Home",
    131042: "a payment is due, or no payment method is set, in WhatsApp Manager",
    131048: "the number is limited because too many people blocked or reported it; see its quality in WhatsApp Manager",
    131056: "too many messages to this person in a short time",
    130429: "too many messages from this number in a short time",
}


class GraphError(msgspec.Struct, frozen=True, kw_only=True):
    """``error`` of an answer, or one of a status's ``errors``."""

    code: int | None = None
    subcode: int | None = None
    text: str = ""
    """The details, else the message, else the title."""
    transient: bool = False

    @property
    def code_text(self) -> str:
        """The code as text, '' without one."""
        return "" if self.code is None else str(self.code)

    @classmethod
    def read(cls, value: object) -> GraphError:
        """Any JSON; ``error_data`` may be an object or text."""
        error = mapping(value)
        data = error.get("error_data")
        details = data if isinstance(data, str) else first_text(mapping(data), "details")
        return cls(
            code=whole(error.get("code")),
            subcode=whole(error.get("error_subcode")),
            text=details or first_text(error, "error_user_msg", "message", "title"),
            transient=error.get("is_transient") is True,
        )


def failure(answer: Response, kept: str) -> SendError:
    """The error of an answer that is not 2xx; ``kept`` is its body for the record, without secrets.

    An answer that says it failed counts as not sent; only 504 without a word of Meta's own leaves it open.
    """
    error = GraphError.read(error_of(answer.body))
    reason = plain_reason(error) or f"HTTP {answer.status} without a reason"
    facts: dict[str, Any] = {"code": error.code_text, "http_status": answer.status, "response": kept}
    if error.code is None:
        return by_status(answer, reason, facts)
    if (later := _LATER.get(error.code)) is not None:
        asked = wait_asked_for(answer.headers, usage=later.slow == "account")
        return NotSentError(reason, after=asked or later.after, slow=later.slow, **facts)
    if error.code in _OPERATOR | _TOKEN or (error.code == 100 and error.subcode == _NO_SUCH_OBJECT):
        # Meta repeats a token that it can't read.
        return AccountStoppedError(reason, **(facts | {"response": None} if error.code == 190 else facts))
    if error.code in _REFUSED:
        return SendRefusedError(reason, window=is_window(error), **facts)
    if error.transient:
        return NotSentError(reason, after=wait_asked_for(answer.headers), **facts)
    return by_status(answer, reason, facts, explicit=True)


def by_status(answer: Response, reason: str, facts: dict[str, Any], *, explicit: bool = False) -> SendError:
    """For what no code tells. ``explicit``: the answer is the provider's own, not that of something in between."""
    status = answer.status
    if status == 504 and not explicit:
        return OutcomeUnknownError(f"{reason}; a proxy in between timed out", **facts)
    if status == 429:
        return NotSentError(reason, after=wait_asked_for(answer.headers, usage=True), slow="account", **facts)
    if status >= 500 or status in {408, 425}:
        return NotSentError(reason, after=wait_asked_for(answer.headers), **facts)
    if status in {401, 403} or 300 <= status < 400:
        return AccountStoppedError(reason, **facts)
    return SendRefusedError(reason, **facts)


def is_window(error: GraphError) -> bool:
    """Whether only a template reaches this person now."""
    return error.code == _WINDOW


def plain_reason(error: GraphError) -> str:
    """For people: our own words for the codes that need explaining, else Meta's; '' when there are none."""
    if error.code is None:
        return error.text
    return f"{_PLAIN.get(error.code) or error.text or 'Meta gave no reason'} ({error.code})"


def error_of(body: bytes) -> dict[str, Any]:
    """The ``error`` object of a body, {} when it has none."""
    try:
        return mapping(read_object(body).get("error"))
    except BadRequestError:
        return {}


def read_answer(body: bytes) -> dict[str, Any]:
    """A body as an object; {} when it is none."""
    try:
        return read_object(body)
    except BadRequestError:
        return {}


def message_id_of(document: dict[str, Any]) -> tuple[str, str]:
    """Id and ``message_status`` of the answer to a send; '' for what it lacks."""
    messages = document.get("messages")
    first = mapping(messages[0]) if isinstance(messages, list) and messages else {}
    return identifier(first.get("id")), first_text(first, "message_status")


Failure = Callable[[Response, str], SendError]
"""(answer, its body for the record) → what it means."""


def wait_asked_for(headers: Mapping[str, str], *, usage: bool = False) -> float | None:
    """Seconds, at most a day; None when nothing is asked for. ``usage``: the account's usage header counts, too."""
    after = seconds_asked_for(headers.get("retry-after"))
    if after is not None:
        return after
    return _until_regained(headers.get(BUSINESS_USAGE, "")) if usage else None


def _until_regained(text: str) -> float | None:
    """``{"<business id>": [{"estimated_time_to_regain_access": <minutes>, …}]}``: the longest of them."""
    try:
        document = read_object(text.encode()) if text else {}
    except BadRequestError:
        return None
    minutes = [_minutes(use) for uses in document.values() if isinstance(uses, list) for use in uses]
    longest = max(minutes, default=0.0)
    return min(longest * 60, LONGEST) if longest > 0 else None


def _minutes(use: Any) -> float:
    value = mapping(use).get("estimated_time_to_regain_access")
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else 0.0
