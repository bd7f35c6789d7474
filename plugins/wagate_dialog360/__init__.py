"""The provider ``dialog360``: 360dialog. Meta's JSON over an API of its own; what is the same is wagate_meta's."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl
from wagate_dialog360.api import dialog360_api
from wagate_dialog360.check import Doctor
from wagate_dialog360.settings import COMMON_KEYS, SECRETS, Dialog360Settings
from wagate_dialog360.webhook import parse, verify
from wagate_meta.send import ABILITIES, LIMITS, LONGEST_CAPTION, LONGEST_TEXT, Calls


class Dialog360Plugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        calls = Calls(context.http, dialog360_api)
        return [
            Provider(
                name="dialog360",
                title="360dialog",
                settings_type=Dialog360Settings,
                secrets=SECRETS,
                common_keys=COMMON_KEYS,
                verify=verify,
                parse=parse,
                number=lambda account: account.settings.phone_number_id,
                abilities=ABILITIES,
                limits=LIMITS,
                longest_text=LONGEST_TEXT,
                longest_caption=LONGEST_CAPTION,
                opus_voice=True,
                send=calls.send,
                signal=calls.signal,
                locate_media=calls.locate_media,
                media_errors=20,
                check=Doctor(context.http).check,
            )
        ]


plugin = Dialog360Plugin()
