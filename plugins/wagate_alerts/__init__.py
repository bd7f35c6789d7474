"""The connector ``alerts``: what needs somebody, told by e-mail, chat or WhatsApp."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

import trio
import typer
from quart import Blueprint

from wagate.hooks import Check, PluginContext, Task, hookimpl
from wagate_alerts import lines, trial
from wagate_alerts.lines import NotTakenError, Ways, make_lines
from wagate_alerts.settings import Settings
from wagate_alerts.trial import look, make_routes
from wagate_alerts.watcher import Watcher


def settings_of(context: PluginContext) -> Settings:
    """``[plugins.alerts]``."""
    return cast("Settings", context.settings)


class AlertsPlugin:
    """Its hooks. All of them work with the same ways to people."""

    def __init__(self) -> None:
        self._context: PluginContext | None = None
        self._ways: Ways | None = None

    @hookimpl
    def settings_type(self) -> type[Settings]:
        """``[plugins.alerts]``."""
        return Settings

    @hookimpl
    def check_settings(self, context: PluginContext) -> Iterable[str]:
        """URLs that Apprise does not understand."""
        urls = {name: each.apprise for name, each in settings_of(context).channels.items() if each.apprise}
        try:
            wrong = trio.run(lines.check_urls, urls) if urls else {}
        except NotTakenError as error:
            return [f"channels: {error}"]
        return [f"channels.{name}.apprise: {why}; the URLs are listed at appriseit.com" for name, why in wrong.items()]

    @hookimpl
    def take_settings(self, context: PluginContext, settings: Settings) -> Callable[[], None]:
        """All of them count at once. What waited for a channel that is gone is dropped with it."""
        ways, made = self._at_work(context), make_lines(context, settings)

        def take() -> None:
            ways.settings, ways.lines = settings, made

        return take

    @hookimpl
    def register_tasks(self, context: PluginContext) -> Iterable[Task]:
        """The one that looks and tells."""
        return [Watcher(context, self._at_work(context)).run]

    @hookimpl
    def register_routes(self, context: PluginContext) -> Iterable[Blueprint]:
        """``/plugins/alerts``."""
        return [make_routes(context, self._at_work(context))]

    @hookimpl
    def register_checks(self, context: PluginContext) -> Iterable[Check]:
        """Channels that don't work."""
        return [partial(look, context, self._at_work(context))]

    @hookimpl
    def register_commands(self) -> Iterable[typer.Typer]:
        """``wagate alerts``."""
        return [trial.app]

    def _at_work(self, context: PluginContext) -> Ways:
        """Of a gateway; each gateway has a context of its own."""
        if self._ways is None or self._context is not context:
            settings = settings_of(context)
            self._context, self._ways = context, Ways(settings=settings, lines=make_lines(context, settings))
        return self._ways


plugin = AlertsPlugin()
