"""Twilio's error codes: what each means for a message and its account. Pure.

Source: Twilio's error dictionary, https://www.twilio.com/docs/api/errors.
"""

from __future__ import annotations

from typing import Any

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
from wagate.parsing.fields import first_text, identifier
from wagate.parsing.jsonbody import read_object
from wagate.parsing.retry_after import seconds_asked_for
from wagate_twilio.words import words_of

WINDOW = "63016"
"""Outside the 24 h window; mostly told by a status callback."""
_TOO_FAST = frozenset({"20429", "63018"})
_LATER = frozenset({"20500", "20503", "63012", "63017"})
_DAILY_LIMIT = "63038"
_HOUR = 3600.0
# Nothing of this account gets through until somebody acts: 20003 wrong credentials, 20005 account closed,
# 21603 and 21606 no or no usable sender, 63007 the sender is not on WhatsApp.
_ACCOUNT = frozenset({"20003", "20005", "21603", "21606", "63007"})
_KEPT = 1000
"""Characters of an answer that are kept."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """``{code, message, more_info, status}``; a code of '' when the answer is not Twilio's own."""

    code: str = ""
    message: str = ""


def read_fault(answer: Response) -> Fault:
    """What the answer's body says."""
    document = document_of(answer)
    return Fault(code=identifier(document.get("code")), message=first_text(document, "message"))


def error_of(answer: Response) -> SendError:
    """The error of an answer that is no 2xx.

    A 5xx in Twilio's own words was not taken; one of a proxy before it, but for 503, says nothing of what lies behind.
    """
    fault, record = read_fault(answer), record_of(answer)
    known = error_of_code(fault, retry_after(answer), record)
    return known or _by_status(answer, fault, {"code": fault.code, **record})


def _by_status(answer: Response, fault: Fault, facts: dict[str, Any]) -> SendError:
    reason = f"Twilio answered {answer.status}: {fault.message or 'no reason given'}"
    status = answer.status
    if status in {404, 405} or 300 <= status < 400:
        return AccountStoppedError(f"{reason}; check account_sid and base_url", **facts)
    if status in {401, 403}:
        return AccountStoppedError(reason, **facts)
    if status in {429, 503} or (status >= 500 and fault.code):
        return NotSentError(reason, after=retry_after(answer), slow="account" if status == 429 else "", **facts)
    if status >= 500 or status == 408:
        return OutcomeUnknownError(reason, **facts)
    return SendRefusedError(reason, **facts)


def error_of_code(fault: Fault, after: float | None, record: dict[str, Any]) -> SendError | None:
    """The error that a code stands for by itself; None: the answer's status decides."""
    reason, facts = plain_reason(fault.code, fault.message), {"code": fault.code, **record}
    if fault.code in _TOO_FAST:
        return NotSentError(reason, after=after, slow="account", **facts)
    if fault.code in _LATER:
        return NotSentError(reason, after=after, **facts)
    if fault.code == _DAILY_LIMIT:
        return NotSentError(reason, after=after or _HOUR, slow="account", **facts)
    if fault.code in _ACCOUNT:
        return AccountStoppedError(reason, **facts)
    if fault.code == WINDOW:
        return SendRefusedError(reason, window=True, **facts)
    return None


def plain_reason(code: str, message: str) -> str:
    """For people: what to do where Twilio's words don't say it."""
    said = f"{code}: {message or words_of(code)}" if code else message
    if code == WINDOW:
        return f"{said} (outside the 24 h window: send a template)"
    if code == "20003":
        return f"{said} (account_sid, auth_token or the API key is wrong, or was rotated)"
    return said


def retry_after(answer: Response) -> float | None:
    """Seconds that the answer asks to wait; None when it says nothing."""
    return seconds_asked_for(answer.headers.get("retry-after"))


def document_of(answer: Response) -> dict[str, Any]:
    """The answer's JSON; {} when it is none."""
    try:
        return read_object(answer.body)
    except BadRequestError:
        return {}


def record_of(answer: Response) -> dict[str, Any]:
    """Status and first part of the body, for the record."""
    return {"http_status": answer.status, "response": answer.body.decode("utf-8", "replace")[:_KEPT]}
