"""The provider ``session``: session engines of the whatsapp-web.js kind."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl
from wagate_session.provider import make_provider


class SessionPlugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        return [make_provider(context)]


plugin = SessionPlugin()
