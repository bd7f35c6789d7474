"""What Infobip's answer to a send means. Pure."""

from __future__ import annotations

from typing import Any, NoReturn

from wagate.errors import (
    AccountStoppedError,
    BadRequestError,
    NotSentError,
    OutcomeUnknownError,
    SendRefusedError,
)
from wagate.hooks import Sent
from wagate.http import Response
from wagate.parsing.fields import first_text, identifier, mapping, whole
from wagate.parsing.jsonbody import read_object
from wagate.parsing.retry_after import seconds_asked_for
from wagate_infobip import statuses
from wagate_infobip.fields import objects

_KEPT = 1000
"""Characters of an answer that are kept."""
_LATER = 30.0
"""Seconds to wait when Infobip or WhatsApp limits a sender and does not say how long."""


def read_sent(answer: Response, message_id: str) -> Sent:
    """The message was taken, under the id that the answer gives it (ours).

    Raises:
        SendRefusedError, NotSentError, AccountStoppedError: it was not, by the answer's status or error.
        OutcomeUnknownError: the answer does not say; the same id may be sent again.
    """
    document = _document(answer)
    if not 200 <= answer.status < 300:
        raise_for(answer)
    [entry, *_] = objects(document.get("messages")) or [document]
    status = mapping(entry.get("status"))
    group, status_id = whole(status.get("groupId")), whole(status.get("id"))
    if group is None and not first_text(entry, "messageId"):
        raise OutcomeUnknownError(f"Infobip answered {answer.status} without a status", **_record(answer))
    if group in statuses.FAILED_GROUPS and status_id != statuses.DUPLICATE:
        _refused(answer, status, mapping(entry.get("error")))
    # A duplicate id was taken before: the first answer got lost.
    taken = identifier(entry.get("messageId")) or message_id
    return Sent(message_id=taken, http_status=answer.status, response=_record(answer)["response"])


def raise_for(answer: Response) -> NoReturn:
    """The error of an answer that is no 2xx."""
    code, reason = _error(_document(answer))
    reason = f"Infobip answered {answer.status}: {reason or 'no reason given'}"
    record = _record(answer) | {"code": code}
    if 300 <= answer.status < 400:
        raise AccountStoppedError(f"{reason}; check base_url", **record)
    match answer.status:
        case 401 | 402 | 403:
            raise AccountStoppedError(reason, **record)
        case 404 | 405:
            raise AccountStoppedError(f"{reason}; check base_url", **record)
        case 429:
            raise NotSentError(reason, after=retry_after(answer), slow="account", **record)
        case 503:
            raise NotSentError(reason, after=retry_after(answer), **record)
    if answer.status >= 500 or answer.status == 408:
        raise OutcomeUnknownError(reason, **record)
    raise SendRefusedError(reason, **record)


def retry_after(answer: Response) -> float | None:
    """Seconds that the answer asks to wait; None when it says nothing."""
    return seconds_asked_for(answer.headers.get("retry-after"))


def _refused(answer: Response, status: dict[str, Any], error: dict[str, Any]) -> NoReturn:
    """A 2xx whose status says no."""
    status_id, error_id = whole(status.get("id")), whole(error.get("id"))
    about = error if error_id else status
    text = ": ".join(part for part in (first_text(about, "name"), first_text(about, "description")) if part)
    reason = f"Infobip refused it: {text or first_text(status, 'groupName')}"
    record = _record(answer) | {"code": identifier(about.get("id"))}
    if error_id in {statuses.SPAM_RATE, statuses.TOO_MANY} or status_id == statuses.FLOODING:
        raise NotSentError(reason, after=_LATER, slow="account", **record)
    if error_id in statuses.PROVIDER_ERRORS or (not error_id and status_id == statuses.SYSTEM_ERROR):
        raise NotSentError(reason, **record)
    if status_id in {statuses.NOT_ENOUGH_CREDITS, statuses.PREPAID_EXPIRED, statuses.SENDER}:
        raise AccountStoppedError(reason, **record)
    raise SendRefusedError(reason, window=error_id == statuses.WINDOW, **record)


def _error(document: dict[str, Any]) -> tuple[str, str]:
    """Code and text of both forms: ``requestError.serviceException``, and ``errorCode``."""
    old = mapping(mapping(document.get("requestError")).get("serviceException"))
    code = first_text(old, "messageId") or first_text(document, "errorCode")
    text = first_text(old, "text") or first_text(document, "description")
    faults = [
        f"{field} {', '.join(map(str, details)) if isinstance(details, list) else details}"
        for field, details in mapping(old.get("validationErrors")).items()
    ]
    faults += [first_text(each, "violation", "property") for each in objects(document.get("violations"))]
    return code, "; ".join(part for part in (text, *faults) if part)


def _document(answer: Response) -> dict[str, Any]:
    try:
        return read_object(answer.body)
    except BadRequestError:
        return {}


def _record(answer: Response) -> dict[str, Any]:
    return {"http_status": answer.status, "response": answer.body.decode("utf-8", "replace")[:_KEPT]}
