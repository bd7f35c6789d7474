"""The provider ``session``: session engines of the whatsapp-web.js kind."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl


class SessionPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        _ = context
        return []


plugin = SessionPlugin()
