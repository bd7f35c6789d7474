"""Requests to WAHA, and what its answers mean for a message."""

from __future__ import annotations

from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import msgspec

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.hooks import ProviderAccount
from wagate.http import HttpClient, Response
from wagate.parsing.fields import first_text, mapping
from wagate.parsing.retry_after import seconds_asked_for
from wagate_waha.settings import settings_of

TIMEOUT = 45.0
"""Seconds; WAHA itself waits up to 15 for a session that is not up."""
NOT_WORKING_AFTER = 15.0
"""Seconds until a message for a session that is not WORKING is tried again."""
_KEPT = 2_000_000
"""Bytes of an answer: WEBJS answers with the whole message, thumbnail included."""


class WahaClient:
    """One account's WAHA."""

    def __init__(self, http: HttpClient, account: ProviderAccount) -> None:
        self._http = http
        self._account = account
        self._settings = settings_of(account)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | bytes | None = None,
        seconds: float = TIMEOUT,
        limit: int = _KEPT,
    ) -> Response:
        """Make one request below ``base_url``; ``path`` begins with /.

        Raises:
            HttpError: no status line came.
            SendError: any answer but 2xx; see `refuse`.
        """
        headers = {"X-Api-Key": self._settings.api_key} if self._settings.api_key else {}
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        answer = await self._http.request(
            method,
            f"{self._settings.base_url.rstrip('/')}{path}{f'?{urlencode(query)}' if query else ''}",
            headers=headers,
            content=content,
            timeout=seconds,
            body_limit=limit,
            trust=self._account.trust,
        )
        if not 200 <= answer.status < 300:
            refuse(answer)
        return answer

    async def read(
        self, path: str, *, query: dict[str, str] | None = None, seconds: float = TIMEOUT, limit: int = _KEPT
    ) -> Any:
        """GET JSON; None when the body is none (or is longer than ``limit`` bytes)."""
        return document_of(await self.call("GET", path, query=query, seconds=seconds, limit=limit))


def document_of(answer: Response) -> Any:
    """The answer's JSON; None when it is none."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def in_path(text: str) -> str:
    """A chat's or message's id as one segment of a path. SendRefusedError: it would be another path."""
    if text in {"", ".", ".."}:
        raise SendRefusedError(f"{text!r} is not an id")
    return quote(text, safe="")


def refuse(answer: Response) -> NoReturn:
    """Raise what an answer other than 2xx says about the message.

    A 500 may come after the message was sent, and WAHA puts the whole request into its body: nothing of that is kept.
    Source: waha, src/nestjs/ exception filters and src/core/abc/manager.abc.ts (session not as expected).
    """
    status, document = answer.status, mapping(document_of(answer))
    said = "" if status >= 500 and status != 501 else _said(document)
    kept: dict[str, Any] = {"http_status": status, "response": said or None}
    reason = f"WAHA answered {status}{f': {said}' if said else ''}"
    if status == 422 and isinstance(document.get("status"), str):
        state = str(document["status"])[:40]
        said = f"the session is {state} in WAHA, not {_expected(document)}"
        raise NotSentError(said, after=NOT_WORKING_AFTER, slow="account", code=state, **kept)
    if status == 429:
        after = seconds_asked_for(answer.headers.get("retry-after"))
        raise NotSentError(reason, after=after, slow="account", **kept)
    if status in {401, 403}:
        raise AccountStoppedError(f"{reason}; compare api_key with WAHA's key", **kept)
    if status == 404:
        raise AccountStoppedError(f"{reason}; compare base_url and session with what WAHA has", **kept)
    if 300 <= status < 400:
        raise AccountStoppedError(f"{reason}, a redirect; write base_url as WAHA's final address", **kept)
    if status == 501:
        raise SendRefusedError(f"WAHA's engine can't do this (501){f': {said}' if said else ''}", **kept)
    if status >= 500 or status == 408:
        raise OutcomeUnknownError(reason, http_status=status)
    raise SendRefusedError(reason, **kept)


def _expected(document: dict[str, Any]) -> str:
    wanted = document.get("expected")
    words = [each for each in wanted if isinstance(each, str)] if isinstance(wanted, list) else []
    return " or ".join(words)[:80] or "WORKING"


def _said(document: dict[str, Any]) -> str:
    """NestJS: ``{"message": text or list, "error", "statusCode"}``."""
    message = document.get("message")
    if isinstance(message, list):
        message = "; ".join(one for one in message if isinstance(one, str))
    return (message if isinstance(message, str) and message else first_text(document, "error"))[:300]
