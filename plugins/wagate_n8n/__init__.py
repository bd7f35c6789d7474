"""The connector ``n8n``: a pull queue of jobs over HTTP, for n8n and every other worker that polls."""

from __future__ import annotations

from collections.abc import Iterable

import typer
from quart import Blueprint

from wagate.hooks import Handler, Panel, PluginContext, hookimpl
from wagate_n8n import cli
from wagate_n8n.queue import Settings, make_handler, make_panel
from wagate_n8n.routes import make_routes


class N8nPlugin:
    """Its hooks."""

    @hookimpl
    def settings_type(self) -> type[Settings]:
        """``[plugins.n8n]``."""
        return Settings

    @hookimpl
    def register_handlers(self, context: PluginContext) -> Iterable[Handler]:
        """One pull handler: jobs by client."""
        return [make_handler(context)]

    @hookimpl
    def register_routes(self, context: PluginContext) -> Iterable[Blueprint]:
        """``/queue``."""
        return [make_routes(context)]

    @hookimpl
    def register_commands(self) -> Iterable[typer.Typer]:
        """``wagate n8n``."""
        return [cli.app]

    @hookimpl
    def register_panels(self, context: PluginContext) -> Iterable[Panel]:
        """How many jobs wait."""
        return [make_panel(context)]


plugin = N8nPlugin()
