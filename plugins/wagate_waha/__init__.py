"""The provider ``waha``: WAHA, the WhatsApp HTTP API, with any of its engines; its session, and its check.

Source of the session's requests: WAHA's OpenAPI document, ``/api/sessions/{session}/…`` and
``/api/{session}/auth/qr``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendError
from wagate.hooks import SESSION_ACTIONS, Finding, PluginContext, Provider, ProviderAccount, hookimpl
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text, mapping
from wagate_waha.answers import answers_of
from wagate_waha.asking import Asking
from wagate_waha.client import WahaClient, in_path
from wagate_waha.media import MediaLocator
from wagate_waha.missed import Catcher
from wagate_waha.parse import parse
from wagate_waha.profile import Lids, Profiles
from wagate_waha.send import Sender
from wagate_waha.settings import COMMON_KEYS, SECRETS, WahaSettings, settings_of, verify

ACTIONS: Final = frozenset(SESSION_ACTIONS)
LONGEST_TEXT: Final = 65_536
"""Characters that WhatsApp's own apps let people write."""
ABILITIES = ACTIONS | frozenset(
    {
        "text",
        "image",
        "video",
        "audio",
        "voice",
        "document",
        "location",
        "contacts",
        "poll",
        "reaction",
        "reply",
        "preview",
        "seen",
        "typing",
        "recording",
        "presence",
        "revoke",
        "edit",
    }
)
_NEXT = {
    "SCAN_QR_CODE": "scan the QR code: WAHA's dashboard, or GET /api/<session>/auth/qr there",
    "STOPPED": "start the session: POST /api/sessions/<session>/start at WAHA",
    "FAILED": "restart the session at WAHA and scan the QR code again",
}


def make_provider(context: PluginContext) -> Provider:
    """WAHA, any engine, from 2024.9 on."""
    sender, session = Sender(context.http), Session(context.http)
    return Provider(
        name="waha",
        title="WAHA",
        settings_type=WahaSettings,
        secrets=SECRETS,
        chosen=frozenset({"hmac_key"}),
        common_keys=COMMON_KEYS,
        sessions=True,
        self_hosted=True,
        verify=verify,
        parse=parse,
        # WAHA's global webhook (WHATSAPP_HOOK_URL) brings the events of all its sessions to one URL.
        number=lambda account: settings_of(account).session,
        abilities=ABILITIES,
        longest_text=LONGEST_TEXT,
        send=sender.send,
        signal=sender.signal,
        revoke=sender.revoke,
        edit=sender.edit,
        locate_media=MediaLocator(context.http),
        missed=Catcher(context.http),
        control=session.control,
        qr=session.qr,
        pair_code=session.pair_code,
        answers=answers_of(context.http),
        profile=Profiles(context.http),
        number_of=Lids(context.http),
        check=Checker(context.http),
    )


class Session:
    """`control` and `qr` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def control(self, action: str, account: ProviderAccount) -> None:
        """One of `ACTIONS`. A session that was not stopped starts again after ``logout``, with a new QR code."""
        path = f"/api/sessions/{in_path(settings_of(account).session)}/{in_path(action)}"
        await WahaClient(self._http, account).call("POST", path)

    async def pair_code(self, phone: str, account: ProviderAccount) -> str:
        """A code to be typed on the phone. SendRefusedError: the session does not wait to be linked."""
        waha = Asking(self._http, account)
        found = await waha.post("/api/{session}/auth/request-code", {"phoneNumber": phone})
        code = first_text(mapping(found), "code")
        if not code:
            raise OutcomeUnknownError("WAHA returned no code")
        return code

    async def qr(self, account: ProviderAccount) -> str:
        """The code's text; '' when the session does not wait for its scan."""
        path = f"/api/{in_path(settings_of(account).session)}/auth/qr"
        try:
            answer = await WahaClient(self._http, account).read(path, query={"format": "raw"})
        except NotSentError as error:
            if error.http_status == 422:  # the session is not SCAN_QR_CODE
                return ""
            raise
        return first_text(mapping(answer), "value")


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
    return Finding(level="fail", what="session", detail=status, next_step=_NEXT.get(status, "check it in WAHA"))


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


class WahaPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        return [make_provider(context)]


plugin = WahaPlugin()
