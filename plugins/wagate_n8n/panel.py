"""What the dashboard shows of the queue: how many jobs nobody has taken yet."""

from __future__ import annotations

from wagate.hooks import Figure, Panel, PanelAsked, PanelData, PluginContext
from wagate_n8n.queue import settings_of, target_of

MOST = 50
"""Clients on the plugin's own page."""


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
