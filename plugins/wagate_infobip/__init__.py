"""The provider ``infobip``: Infobip."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import MEDIA_TYPES, PluginContext, Provider, SendLimits, hookimpl
from wagate_infobip.client import Infobip
from wagate_infobip.settings import COMMON_KEYS, SECRETS, InfobipSettings, sender_of
from wagate_infobip.webhook import parse, verify

ABILITIES = MEDIA_TYPES | {"text", "location", "contacts", "template", "interactive", "reply", "seen", "typing"}
"""No reactions: Infobip has no way to send them."""


class InfobipPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        infobip = Infobip(context.http, timeout=context.timeout)
        yield Provider(
            name="infobip",
            title="Infobip",
            settings_type=InfobipSettings,
            secrets=SECRETS,
            chosen=frozenset({"webhook_token"}),
            common_keys=COMMON_KEYS,
            verify=verify,
            parse=parse,
            number=sender_of,
            sender_keys=("sender",),
            abilities=ABILITIES,
            idempotent=True,
            # Source: Infobip's API reference: 4000 requests a second for messages.
            limits=SendLimits(per_second=4000),
            # Source: Infobip's OpenAPI document, TextMessage and ImageMessage.
            longest_text=4096,
            longest_caption=3000,
            opus_voice=True,
            send=infobip.send,
            signal=infobip.signal,
            locate_media=infobip.locate_media,
            check=infobip.check,
        )


plugin = InfobipPlugin()
