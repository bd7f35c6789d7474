"""The connector ``chatwoot``: WhatsApp in Chatwoot's inboxes, and agents' answers on WhatsApp."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import typer
from quart import Blueprint

from wagate.hooks import Check, Handler, Panel, PluginContext, Task, hookimpl
from wagate_chatwoot.handler import make_handler
from wagate_chatwoot.inboxes import Apps, forget_old, make_apps, ring_resumed
from wagate_chatwoot.pull import Pulls
from wagate_chatwoot.routes import make_own_routes, make_panel
from wagate_chatwoot.settings import Settings
from wagate_chatwoot.setup import cli
from wagate_chatwoot.setup.check import make_checks
from wagate_chatwoot.signals import Signals, watch
from wagate_chatwoot.to_whatsapp.doubts import Doubts
from wagate_chatwoot.to_whatsapp.reconcile import Reconciler
from wagate_chatwoot.to_whatsapp.webhook import make_routes


class ChatwootPlugin:
    """Its hooks. All of them work with the same inboxes: what one learns of a chat, the others know."""

    def __init__(self) -> None:
        self._context: PluginContext | None = None
        self._apps: Apps | None = None
        self._told: Signals | None = None

    @hookimpl
    def settings_type(self) -> type[Settings]:
        """``[plugins.chatwoot]``."""
        return Settings

    @hookimpl
    def take_settings(self, context: PluginContext, settings: Settings) -> Callable[[], None] | None:
        """Tokens, secrets and how an inbox behaves count at once; other inboxes after a restart."""
        return self._at_work(context).changed(settings)

    @hookimpl
    def register_handlers(self, context: PluginContext) -> Iterable[Handler]:
        """One push handler, with two targets for each inbox."""
        return [make_handler(context, self._at_work(context), done=partial(watch, self._signals(context)))]

    @hookimpl
    def register_routes(self, context: PluginContext) -> Iterable[Blueprint]:
        """``/webhooks/chatwoot`` and ``/plugins/chatwoot``."""
        apps = self._at_work(context)
        return [make_routes(context, apps, self._signals(context)), make_own_routes(context, apps)]

    @hookimpl
    def register_tasks(self, context: PluginContext) -> Iterable[Task]:
        """Signals to WhatsApp, which no webhook waits for; doubts; pulls; what no webhook brought; and more."""
        apps, signals = self._at_work(context), self._signals(context)
        return [
            signals.run,
            Doubts(apps).run,
            Pulls(apps).run,
            Reconciler(apps, signals).run,
            partial(forget_old, context, apps),
            partial(ring_resumed, apps),
        ]

    @hookimpl
    def register_checks(self, context: PluginContext) -> Iterable[Check]:
        """A look at each inbox."""
        return make_checks(context, self._at_work(context))

    @hookimpl
    def register_panels(self, context: PluginContext) -> Iterable[Panel]:
        """The inboxes."""
        return [make_panel(self._at_work(context))]

    @hookimpl
    def register_commands(self) -> Iterable[typer.Typer]:
        """``wagate chatwoot``."""
        return [cli.app]

    def _at_work(self, context: PluginContext) -> Apps:
        """The inboxes of a gateway; each gateway has a context of its own."""
        if self._apps is None or self._context is not context:
            self._context, self._apps, self._told = context, make_apps(context), Signals(context)
        return self._apps

    def _signals(self, context: PluginContext) -> Signals:
        self._at_work(context)
        assert self._told is not None  # made with the inboxes
        return self._told


plugin = ChatwootPlugin()
