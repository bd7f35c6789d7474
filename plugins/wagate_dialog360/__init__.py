"""The provider ``dialog360``: 360dialog."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import PluginContext, Provider, hookimpl


class Dialog360Plugin:
    """Its hooks."""

    @hookimpl
    def register_providers(self, context: PluginContext) -> Iterable[Provider]:
        """One provider."""
        _ = context
        return []


plugin = Dialog360Plugin()
