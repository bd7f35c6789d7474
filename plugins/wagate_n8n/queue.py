"""Which events become jobs: one target, and so one queue, for each client."""

from __future__ import annotations

from collections.abc import Iterable

from wagate.events import Event, matches
from wagate.hooks import Handler, PluginContext, Target, TargetName
from wagate_n8n.settings import Settings


def settings_of(context: PluginContext) -> Settings:
    """The plugin's settings, typed."""
    assert isinstance(context.settings, Settings)
    return context.settings


def make_handler(context: PluginContext) -> Handler:
    """The pull handler."""
    settings = settings_of(context)
    expires = float(settings.expires) or None

    def targets(event: Event) -> Iterable[Target]:
        if not (settings.serves(event.tenant) and matches(settings.events, event.kind)):
            return ()
        return (Target(id=target_of(event.client_id), expires=expires),)

    def describe(target: str) -> TargetName:
        client = next((each for each in context.accounts.clients() if target_of(each.id) == target), None)
        return TargetName(name="n8n jobs" if client is None else f"n8n jobs of {client.slug}")

    return Handler(name=context.name, targets=targets, describe=describe)


def target_of(client_id: int) -> str:
    """The target that holds a client's jobs."""
    return str(client_id)
