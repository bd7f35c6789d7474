"""The provider ``session``, put together."""

from __future__ import annotations

from wagate.hooks import MEDIA_TYPES, PluginContext, Provider
from wagate_session.check import Checker
from wagate_session.send import Sender
from wagate_session.session import PATHS, Session
from wagate_session.settings import COMMON_KEYS, SECRETS, SessionSettings

ABILITIES = MEDIA_TYPES | {"text", "location", "contacts", "reaction", "reply", "seen", "typing", "revoke", *PATHS}


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
        abilities=ABILITIES,
        send=sender.send,
        signal=sender.signal,
        revoke=sender.revoke,
        control=session.control,
        qr=session.qr,
        check=Checker(context.http),
    )
