"""The provider ``meta``: Meta's Cloud API."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl
from wagate_meta.api import meta_api
from wagate_meta.check import Doctor
from wagate_meta.parse import parse
from wagate_meta.send import ABILITIES, LIMITS, LONGEST_CAPTION, LONGEST_TEXT, Calls
from wagate_meta.settings import COMMON_KEYS, SECRETS, MetaSettings
from wagate_meta.webhook import challenge, verify


class MetaPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        calls = Calls(context.http, meta_api)
        return [
            Provider(
                name="meta",
                title="Meta Cloud API",
                settings_type=MetaSettings,
                secrets=SECRETS,
                chosen=frozenset({"verify_token"}),
                common_keys=COMMON_KEYS,
                verify=verify,
                parse=parse,
                challenge=challenge,
                number=lambda account: account.settings.phone_number_id,
                abilities=ABILITIES,
                limits=LIMITS,
                longest_text=LONGEST_TEXT,
                longest_caption=LONGEST_CAPTION,
                opus_voice=True,
                send=calls.send,
                signal=calls.signal,
                locate_media=calls.locate_media,
                check=Doctor(context.http, context.clock).check,
            )
        ]


plugin = MetaPlugin()
