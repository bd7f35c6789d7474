"""Would an account of WAHA work? For ``wagate doctor``."""

from __future__ import annotations

from typing import Any

from wagate.errors import AccountStoppedError, SendError
from wagate.hooks import Finding, ProviderAccount
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text, mapping
from wagate_waha.client import WahaClient, in_path
from wagate_waha.settings import settings_of

_NEXT = {
    "SCAN_QR_CODE": "scan the QR code: WAHA's dashboard, or GET /api/<session>/auth/qr there",
    "STOPPED": "start the session: POST /api/sessions/<session>/start at WAHA",
    "FAILED": "restart the session at WAHA and scan the QR code again",
}


class Checker:
    """`check` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def __call__(self, account: ProviderAccount) -> list[Finding]:
        """WAHA's version, the session's status, and whether its webhook leads here."""
        client, settings = WahaClient(self._http, account), settings_of(account)
        findings = [_guarded(account)]
        try:
            version = mapping(await client.read("/api/server/version"))
            told = f"WAHA {first_text(version, 'version')} ({first_text(version, 'engine')})"
            findings.append(Finding(level="ok", what="reachable", detail=told))
            session = mapping(await client.read(f"/api/sessions/{in_path(settings.session)}"))
        except AccountStoppedError as error:
            return [*findings, _failed("api_key" if error.http_status in {401, 403} else "session", error.reason)]
        except (SendError, HttpError) as error:
            return [*findings, _failed("reachable", error.reason)]
        return [*findings, _status(session), _webhook(session, account)]


def _failed(what: str, reason: str) -> Finding:
    return Finding(
        level="fail", what=what, detail=reason, next_step="compare base_url, api_key and session with WAHA's"
    )


def _guarded(account: ProviderAccount) -> Finding:
    if settings_of(account).hmac_key or account.webhook_secret:
        return Finding(level="ok", what="signature", detail="webhooks are verified")
    step = "set hmac_key here and hmac.key of WAHA's webhook to the same value"
    return Finding(
        level="fail", what="signature", detail="neither hmac_key nor a webhook secret is set", next_step=step
    )


def _status(session: dict[str, Any]) -> Finding:
    status = first_text(session, "status") or "unknown"
    if status == "WORKING":
        return Finding(level="ok", what="session", detail="WORKING")
    return Finding(level="fail", what="session", detail=status, next_step=_NEXT.get(status, "look at it in WAHA"))


def _webhook(session: dict[str, Any], account: ProviderAccount) -> Finding:
    """Only what the session itself has: a webhook by WAHA's environment is not shown by its API."""
    webhooks = mapping(session.get("config")).get("webhooks")
    urls = [first_text(mapping(one), "url") for one in webhooks] if isinstance(webhooks, list) else []
    ours = f"/webhooks/{account.name}"
    if any(url.partition("?")[0].endswith(ours) for url in urls):
        return Finding(level="ok", what="webhook", detail=f"WAHA posts to …{ours}")
    step = f"add {account.webhook_url or '<public_url>' + ours} to the session's webhooks, or to WHATSAPP_HOOK_URL"
    return Finding(
        level="warn", what="webhook", detail=f"none of the session's webhooks ends with {ours}", next_step=step
    )
