"""Where an account's session engine is, requests to it, and what its answers mean for a message.

Source: avoylenko/wwebjs-api, src/middleware.js, src/utils.js (``{success: false, error}``), src/sessions.js.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NoReturn
from urllib.parse import quote

import msgspec

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.hooks import ProviderAccount
from wagate.http import BadUrlError, HttpClient, Response, check_url
from wagate.parsing.fields import first_text, mapping
from wagate.parsing.retry_after import seconds_asked_for

TIMEOUT = 45.0
"""Seconds: a browser does the work."""
NOT_CONNECTED_AFTER = 15.0
"""Seconds until a message for a session that is not connected is tried again."""
_KEPT = 2_000_000
"""Bytes of an answer: it has the whole message, thumbnail included."""
# whatsapp-web.js raises these before it hands anything to WhatsApp Web.
_BEFORE_SENDING = re.compile(
    r"(Message|Contact|Chat) not found|is not a group|No LID for user|invalid wid|invalid media", re.IGNORECASE
)


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` with ``provider = "session"``."""

    base_url: str = ""
    """The engine's REST API (avoylenko/wwebjs-api and its like): ``http://engine:3000``; '': nothing can be sent."""
    api_key: str = ""
    """The engine's ``API_KEY``; '' when it asks for none."""
    session_id: str = ""
    """The engine's id of the session; '': the account's name."""
    media: Literal["url", "base64"] = "url"
    """How files go out: the engine fetches them at their URL, or gets those that we hold in the request."""

    def __post_init__(self) -> None:
        try:
            if self.base_url:
                check_url(self.base_url, allow_http=True)
        except BadUrlError as error:
            raise ValueError(f"base_url: {error}") from error


SECRETS = frozenset({"api_key"})
COMMON_KEYS = {"api_key": "api_key"}


def settings_of(account: ProviderAccount) -> SessionSettings:
    """The account's settings."""
    assert isinstance(account.settings, SessionSettings)
    return account.settings


def session_of(account: ProviderAccount) -> str:
    """The engine's id of the account's session."""
    return settings_of(account).session_id or account.name


class SessionClient:
    """One account's engine."""

    def __init__(self, http: HttpClient, account: ProviderAccount) -> None:
        """SendRefusedError: the account has no ``base_url``."""
        self._http = http
        self._account = account
        self._settings = settings_of(account)
        if not self._settings.base_url:
            raise SendRefusedError(f"account {account.name!r} only receives: no base_url of its engine is set")

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | bytes | None = None,
        seconds: float = TIMEOUT,
    ) -> dict[str, Any]:
        """One request, ``<base_url><path>/<session>``; the answer's JSON.

        Raises:
            HttpError: no status line came.
            SendError: any answer that is no success; see `refuse`.
        """
        headers = {"x-api-key": self._settings.api_key} if self._settings.api_key else {}
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        answer = await self._http.request(
            method,
            url_of(self._account, path),
            headers=headers,
            content=content,
            timeout=seconds,
            body_limit=_KEPT,
            trust=self._account.trust,
        )
        document = mapping(document_of(answer))
        if not 200 <= answer.status < 300:
            refuse(answer, document)
        return document


def url_of(account: ProviderAccount, path: str) -> str:
    """Where the account's engine takes a request."""
    return f"{settings_of(account).base_url.rstrip('/')}{path}/{quote(session_of(account), safe='')}"


def said_of(body: bytes) -> str:
    """What an answer says about itself; '' when it says nothing."""
    try:
        return first_text(mapping(msgspec.json.decode(body)), "error", "message")[:300]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def document_of(answer: Response) -> Any:
    """The answer's JSON; None when it is none."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def refuse(answer: Response, document: dict[str, Any]) -> NoReturn:
    """Raise what an answer other than 2xx says about the message. A 500 may come after it was sent."""
    status, said = answer.status, first_text(document, "error", "message")[:300]
    kept: dict[str, Any] = {"http_status": status, "response": said or None}
    reason = f"the engine answered {status}{f': {said}' if said else ''}"
    if status in {401, 403}:
        raise AccountStoppedError(f"{reason}; compare api_key with the engine's API_KEY", **kept)
    if status == 404 and document.get("success") is False and said != "session_not_found":
        raise NotSentError(reason, after=NOT_CONNECTED_AFTER, slow="account", code=said, **kept)
    if status == 413:
        raise SendRefusedError("the file is larger than the engine takes (413): raise its MAX_ATTACHMENT_SIZE", **kept)
    if status in {404, 422}:
        raise AccountStoppedError(f"{reason}; compare base_url and session_id with what the engine has", **kept)
    if 300 <= status < 400:
        raise AccountStoppedError(f"{reason}, a redirect; write base_url as the engine's final address", **kept)
    if status == 429:
        after = seconds_asked_for(answer.headers.get("retry-after"))
        raise NotSentError(reason, after=after, slow="account", **kept)
    if status == 408 or (status >= 500 and not _BEFORE_SENDING.search(said)):
        raise OutcomeUnknownError(reason, **kept)
    raise SendRefusedError(reason, **kept)
