"""The provider ``waha``, put together."""

from __future__ import annotations

from wagate.hooks import PluginContext, Provider
from wagate_waha.check import Checker
from wagate_waha.media import MediaLocator
from wagate_waha.missed import Catcher
from wagate_waha.parse import parse
from wagate_waha.profile import Profiles
from wagate_waha.send import Sender
from wagate_waha.session import ACTIONS, Session
from wagate_waha.settings import COMMON_KEYS, SECRETS, WahaSettings, settings_of
from wagate_waha.verify import verify

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
        "reaction",
        "reply",
        "seen",
        "typing",
        "revoke",
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
        common_keys=COMMON_KEYS,
        sessions=True,
        self_hosted=True,
        verify=verify,
        parse=parse,
        # WAHA's global webhook (WHATSAPP_HOOK_URL) brings the events of all its sessions to one URL.
        number=lambda account: settings_of(account).session,
        abilities=ABILITIES,
        send=sender.send,
        signal=sender.signal,
        revoke=sender.revoke,
        locate_media=MediaLocator(context.http),
        missed=Catcher(context.http),
        control=session.control,
        qr=session.qr,
        profile=Profiles(context.http),
        check=Checker(context.http),
    )
