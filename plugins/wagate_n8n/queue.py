"""The queue as the engine sees it: which events become jobs, one target for each client, and how many wait."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial

import msgspec

from wagate.events import EVENT_KINDS, Event, matches
from wagate.hooks import Duration, Figure, Handler, Panel, PanelAsked, PanelData, PluginContext, Target, TargetName
from wagate_n8n.answers import show_request

EVERY = "*"
MOST = 50
"""Clients on the plugin's own page."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose events become jobs, which, and for how long."""

    clients: list[str] = msgspec.field(default_factory=lambda: [EVERY])
    """Slugs of the clients whose events become jobs; `*` is all."""
    expires: Duration = Duration("24h")
    """A job that no worker finished in this time expires; `0` is never."""
    events: list[str] = msgspec.field(default_factory=lambda: ["message"])
    """Names of the events that become jobs; `*` is all but `message.any`, `group.*` every group event."""

    def __post_init__(self) -> None:
        """Refuse names that no event has."""
        for name in self.events:
            if name not in EVENT_KINDS and name != EVERY and not name.startswith("group."):
                near = difflib.get_close_matches(name, sorted(EVENT_KINDS), n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(EVENT_KINDS))}, group.*, *"
                raise ValueError(f"events: there is no event {name!r}; {hint}")

    def serves(self, tenant: str) -> bool:
        """Whether this client's events become jobs."""
        return EVERY in self.clients or tenant in self.clients


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

    return Handler(name=context.name, targets=targets, describe=describe, request=partial(show_request, context))


def target_of(client_id: int) -> str:
    """The target that holds a client's jobs."""
    return str(client_id)


def make_panel(context: PluginContext) -> Panel:
    """The panel."""

    async def render(asked: PanelAsked) -> PanelData | None:
        clients = [
            each
            for each in context.accounts.clients()
            if asked.client_id in {None, each.id}
            and asked.target in {"", target_of(each.id)}
            and settings_of(context).serves(each.slug)
        ]
        if not clients:
            return None
        figures = []
        for each in clients[:MOST]:
            count = await context.jobs.waiting([target_of(each.id)])
            figures.append(Figure(label=f"Jobs of {each.slug} that wait for a worker", value=f"{count:,}"))
        return PanelData(text="Workers take jobs at /queue/next-job, with the client's token.", figures=tuple(figures))

    return Panel(title="Queue", render=render)
