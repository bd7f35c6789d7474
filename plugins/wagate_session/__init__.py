"""The provider ``session``: session engines of the whatsapp-web.js kind; its session, and its check.

Source: avoylenko/wwebjs-api, swagger.json, src/controllers/sessionController.js and src/sessions.js.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wagate.errors import AccountStoppedError, SendError
from wagate.hooks import MEDIA_TYPES, Finding, PluginContext, Provider, ProviderAccount, hookimpl
from wagate.http import HttpClient, HttpError
from wagate.parsing.fields import first_text
from wagate_session.asking import answers
from wagate_session.client import COMMON_KEYS, SECRETS, SessionClient, SessionSettings, session_of, settings_of
from wagate_session.media import locate_media, media_answer
from wagate_session.send import Sender

_SCAN = "start the session at the engine and scan its QR code (GET /session/start/<id>, /session/qr/<id>)"

PATHS: Final = {
    "start": ("/session/start",),
    "stop": ("/session/stop",),
    "restart": ("/session/restart",),
    # Terminating logs out and forgets the session: only a new start shows a code again.
    "logout": ("/session/terminate", "/session/start"),
}
"""What can be done → requests, in order. The engine takes them as GET."""
_RUNS = "Session already exists"
LONGEST_TEXT = 65_536
"""Characters that WhatsApp's own apps let people write."""
_MESSAGES = MEDIA_TYPES | {"text", "location", "contacts", "poll", "reaction"}
ABILITIES = _MESSAGES | {"reply", "seen", "typing", "recording", "revoke", "edit", *PATHS}


def make_provider(context: PluginContext) -> Provider:
    """Session engines of the whatsapp-web.js family. Their webhooks are taken in by the core's door for sessions."""
    sender, session = Sender(context.http), Session(context.http)
    return Provider(
        name="session",
        title="Session engine",
        settings_type=SessionSettings,
        secrets=SECRETS,
        common_keys=COMMON_KEYS,
        sessions=True,
        self_hosted=True,
        # An engine posts the events of all its sessions to one URL, when it is told so (BASE_WEBHOOK_URL).
        number=session_of,
        abilities=ABILITIES,
        longest_text=LONGEST_TEXT,
        opus_voice=True,
        send=sender.send,
        signal=sender.signal,
        revoke=sender.revoke,
        edit=sender.edit,
        locate_media=locate_media,
        media_answer=media_answer,
        control=session.control,
        qr=session.qr,
        answers=answers(context.http),
        check=Checker(context.http),
    )


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


class Session:
    """`control` and `qr` of the provider."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def control(self, action: str, account: ProviderAccount) -> None:
        """One of `PATHS`. To start what runs already is no error."""
        client = SessionClient(self._http, account)
        for path in PATHS[action]:
            try:
                await client.call("GET", path)
            except AccountStoppedError as error:
                if path != "/session/start" or not (error.response or "").startswith(_RUNS):
                    raise

    async def qr(self, account: ProviderAccount) -> str:
        """The code's text; '' when none waits (``{"success": false}``, "qr code not ready or already scanned")."""
        if not settings_of(account).base_url:
            return ""  # It only receives: what its engine had to show, it posted.
        return first_text(await SessionClient(self._http, account).call("GET", "/session/qr"), "qr")


class SessionPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        return [make_provider(context)]


plugin = SessionPlugin()
