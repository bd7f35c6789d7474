"""The connector ``chatwoot``: WhatsApp in ChatWoot's inboxes, and agents' answers on WhatsApp."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.hooks import Handler, PluginContext, hookimpl
from wagate_chatwoot.apps import Apps, make_apps
from wagate_chatwoot.handler import make_handler
from wagate_chatwoot.settings import Settings


class ChatWootPlugin:
    """Its hooks. All of them work with the same inboxes: what one learns of a chat, the others know."""

    def __init__(self) -> None:
        self._context: PluginContext | None = None
        self._apps: Apps | None = None

    @hookimpl
    def settings_type(self) -> type[Settings]:
        """``[plugins.chatwoot]``."""
        return Settings

    @hookimpl
    def register_handlers(self, context: PluginContext) -> Iterable[Handler]:
        """One push handler, with two targets for each inbox."""
        return [make_handler(context, self._at_work(context))]

    # Here belong the hooks for the webhook's route, the tasks (pulls, reconciliation) and the commands (connect).

    def _at_work(self, context: PluginContext) -> Apps:
        """The inboxes of a gateway; each gateway has a context of its own."""
        if self._apps is None or self._context is not context:
            self._context, self._apps = context, make_apps(context)
        return self._apps


plugin = ChatWootPlugin()
