"""The provider ``waha``, put together; its session.

Source of the session's requests: WAHA's OpenAPI document, ``/api/sessions/{session}/…`` and
``/api/{session}/auth/qr``.
"""

from __future__ import annotations

from typing import Final

from wagate.errors import NotSentError, OutcomeUnknownError
from wagate.hooks import SESSION_ACTIONS, PluginContext, Provider, ProviderAccount
from wagate.http import HttpClient
from wagate.parsing.fields import first_text, mapping
from wagate_waha.answers import answers_of
from wagate_waha.asking import Asking
from wagate_waha.check import Checker
from wagate_waha.client import WahaClient, in_path
from wagate_waha.lids import Lids
from wagate_waha.media import MediaLocator
from wagate_waha.missed import Catcher
from wagate_waha.parse import parse
from wagate_waha.profile import Profiles
from wagate_waha.send import Sender
from wagate_waha.settings import COMMON_KEYS, SECRETS, WahaSettings, settings_of
from wagate_waha.verify import verify

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
        "presence",
        "revoke",
        "edit",
    }
)


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
            raise OutcomeUnknownError("WAHA answered no code")
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
