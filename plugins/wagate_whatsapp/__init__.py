"""The provider ``whatsapp``: a number of one's own, linked as a device, without a service beside wagate."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl
from wagate_whatsapp.installed import check_installed
from wagate_whatsapp.provider import make_provider


class WhatsAppPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider. NotInstalledError: its engine is not there."""
        check_installed()
        return [make_provider(context)]


plugin = WhatsAppPlugin()
