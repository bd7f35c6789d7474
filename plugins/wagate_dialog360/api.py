"""360dialog's API: Meta's, without version and number in the path, and with errors of its own beside Meta's.

And what ``wagate doctor`` asks it: would this account work?
Source: https://docs.360dialog.com/docs/messaging/api-overview
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from wagate.errors import AccountStoppedError, NotSentError, SendError, SendRefusedError
from wagate.hooks import Finding, ProviderAccount
from wagate.http import HttpClient, HttpError, Response
from wagate.parsing.fields import first_text, mapping, whole
from wagate_meta import errors as meta
from wagate_meta.api import Api
from wagate_meta.check import unreachable
from wagate_meta.errors import read_answer, wait_asked_for

_BLOCKED: Final = 1800.0
"""Seconds for which an endpoint is closed after too many errors."""


def dialog360_api(account: ProviderAccount) -> Api:
    """The API of an account with `wagate_dialog360.Dialog360Settings`."""
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


class Doctor:
    """Asks 360dialog about an account."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def check(self, account: ProviderAccount) -> Sequence[Finding]:
        """The key, by asking which webhook it has; then whether that webhook leads here."""
        api = dialog360_api(account)
        try:
            answer = await api.ask(self._http, "GET", f"{api.base}/v1/configs/webhook")
        except HttpError as error:
            return [unreachable(error), *_secret(account)]
        if answer.status != 200:
            stopped = isinstance(api.failure(answer, ""), AccountStoppedError)
            finding = Finding(
                level="fail" if stopped else "warn",
                what="token",
                detail=own_reason(answer.body) or f"HTTP {answer.status}",
                next_step="make a new API key in the hub, and set it as api_key" if stopped else "try again later",
            )
            return [finding, *_secret(account)]
        url = first_text(read_answer(answer.body), "url")
        ok = Finding(level="ok", what="token", detail="the API key is accepted")
        return [ok, *_webhook(url, account), *_secret(account)]


def _webhook(url: str, account: ProviderAccount) -> Iterator[Finding]:
    expected = account.webhook_url
    if not url:
        yield Finding(
            level="fail",
            what="webhook",
            detail="none is set at 360dialog, so nothing comes in",
            next_step=f"POST /v1/configs/webhook with {expected or '<public_url>/webhooks/<account>'}",
        )
    elif expected and url.partition("?")[0] != expected:
        yield Finding(
            level="warn",
            what="webhook",
            detail="360dialog posts to another URL than this account's",
            next_step=f"POST /v1/configs/webhook with {expected}",
        )
    else:
        yield Finding(level="ok", what="webhook", detail="set at 360dialog")


def _secret(account: ProviderAccount) -> Iterator[Finding]:
    if not account.webhook_secret:
        yield Finding(
            level="fail",
            what="webhook",
            detail="the account has no webhook_secret: webhooks are refused",
            next_step=f"set one, and let 360dialog send it in {account.settings.webhook_header}",
        )
