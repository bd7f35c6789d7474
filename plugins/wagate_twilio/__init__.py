"""The provider ``twilio``: Twilio."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl


class TwilioPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        _ = context
        return []


plugin = TwilioPlugin()
