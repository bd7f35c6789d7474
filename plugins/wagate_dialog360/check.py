"""``wagate doctor``: would this account work?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wagate.errors import AccountStoppedError
from wagate.hooks import Finding, ProviderAccount
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text
from wagate_dialog360.api import dialog360_api, own_reason
from wagate_meta.check import unreachable
from wagate_meta.errors import read_answer


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
