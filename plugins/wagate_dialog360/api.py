"""360dialog's API: Meta's, without version and number in the path, and with errors of its own beside Meta's.

Source: https://docs.360dialog.com/docs/messaging/api-overview
"""

from __future__ import annotations

from typing import Any, Final

from wagate.errors import AccountStoppedError, NotSentError, SendError, SendRefusedError
from wagate.hooks import ProviderAccount
from wagate.http import Response
from wagate.parsing.fields import first_text, mapping, whole
from wagate_meta import errors as meta
from wagate_meta.api import Api
from wagate_meta.usage import wait_asked_for

_BLOCKED: Final = 1800.0
"""Seconds for which an endpoint is closed after too many errors."""


def dialog360_api(account: ProviderAccount) -> Api:
    """The API of an account with `wagate_dialog360.settings.Dialog360Settings`."""
    settings = account.settings
    return Api(
        base=settings.base_url.rstrip("/"),
        number="",
        headers={"D360-API-KEY": settings.api_key},
        secret=settings.api_key,
        trust=account.trust,
        # Errors here are counted: 20 in an hour close the endpoint for half an hour.
        media_lookups=1,
        files_here=True,
        failure=failure,
    )


def failure(answer: Response, kept: str) -> SendError:
    """Meta's errors as `wagate_meta.errors.failure`; 360dialog's own have no code, so their text decides.

    A rate limit may be a 400.
    """
    if whole(meta.error_of(answer.body).get("code")) is not None:
        return meta.failure(answer, kept)
    reason = own_reason(answer.body) or f"HTTP {answer.status} without a reason"
    said = reason.lower()
    facts: dict[str, Any] = {"http_status": answer.status, "response": kept}
    if "rate limit" in said or "too many" in said:
        return NotSentError(reason, after=wait_asked_for(answer.headers) or 5.0, slow="account", **facts)
    if "endpoint is blocked" in said:
        return NotSentError(reason, after=wait_asked_for(answer.headers) or _BLOCKED, slow="account", **facts)
    if answer.status < 500 and ("disabled" in said or "payment" in said or "api_key" in said):
        return AccountStoppedError(reason, **facts)
    if answer.status == 404:
        return SendRefusedError(reason, **facts)
    return meta.by_status(answer, reason, facts)


def own_reason(body: bytes) -> str:
    """What 360dialog says, in whichever of its shapes; '' when it says nothing."""
    document = meta.read_answer(body)
    error: Any = document.get("error")
    return (
        first_text(mapping(document.get("meta")), "developer_message")
        or first_text(document, "detail", "message", "error")
        or first_text(mapping(error), "details", "message", "title")
        or ("" if document else body.decode("utf-8", "replace").strip()[:200])
    )
