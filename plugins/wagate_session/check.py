"""Would an account of a session engine work? For ``wagate doctor``."""

from __future__ import annotations

from wagate.errors import AccountStoppedError, SendError
from wagate.hooks import Finding, ProviderAccount
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text
from wagate_session.client import SessionClient
from wagate_session.settings import session_of, settings_of

_SCAN = "start the session at the engine and scan its QR code (GET /session/start/<id>, /session/qr/<id>)"


class Checker:
    """`check` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, account: ProviderAccount) -> list[Finding]:
        """Whether the engine answers, takes the key, and has the session connected."""
        if not settings_of(account).base_url:
            detail = "no base_url: this account only receives"
            return [Finding(level="warn", what="base_url", detail=detail, next_step="set base_url to send, too")]
        try:
            told = await SessionClient(self._http, account).call("GET", "/session/status")
        except AccountStoppedError as error:
            step = "compare base_url, api_key and session_id with the engine's"
            return [Finding(level="fail", what="engine", detail=error.reason, next_step=step)]
        except (SendError, HttpError) as error:
            step = "is the engine running at base_url?"
            return [Finding(level="fail", what="reachable", detail=error.reason, next_step=step)]
        findings = [Finding(level="ok", what="reachable", detail="the engine answers")]
        said = first_text(told, "state", "message") or "unknown"
        detail = f"{session_of(account)}: {said}"
        if told.get("success") is True:
            return [*findings, Finding(level="ok", what="session", detail=detail)]
        return [*findings, Finding(level="fail", what="session", detail=detail, next_step=_SCAN)]
