"""The provider ``waha``: WAHA, the WhatsApp HTTP API, with any of its engines."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl
from wagate_waha.provider import make_provider


class WahaPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        return [make_provider(context)]


plugin = WahaPlugin()
