"""The connector ``webhook``: events as signed POSTs to URLs that clients register."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from quart import Blueprint

from wagate.hooks import Handler, PluginContext, hookimpl
from wagate_webhook.answers import show_request
from wagate_webhook.deliver import make_handler
from wagate_webhook.routes import make_routes


class WebhookPlugin:
    """Its hooks. It takes no settings: ``[plugins.webhook]`` switches it on."""

    @hookimpl
    def register_handlers(self, context: PluginContext) -> Iterable[Handler]:
        """One push handler."""
        return [make_handler(context, request=partial(show_request, context))]

    @hookimpl
    def register_routes(self, context: PluginContext) -> Iterable[Blueprint]:
        """``/api/webhooks``."""
        return [make_routes(context)]


plugin = WebhookPlugin()
