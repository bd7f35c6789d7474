"""What the dashboard shows of the inboxes: where each leads, and whose numbers it shows."""

from __future__ import annotations

from wagate.hooks import Panel, PanelAsked, PanelData
from wagate_chatwoot.inboxes import Apps

COLUMNS = ("Inbox", "Chatwoot", "Client", "Numbers")


def make_panel(apps: Apps) -> Panel:
    """The panel."""

    async def render(asked: PanelAsked) -> PanelData | None:
        rows = tuple(
            (
                app.name,
                f"{app.inbox.url}/app/accounts/{app.inbox.account_id}, inbox {app.inbox.inbox_id}",
                app.inbox.client,
                ", ".join(app.inbox.accounts) or "all",
            )
            for app in apps.values()
            if asked.client_id in {None, app.client_id} and asked.target in {"", app.incoming, app.outgoing}
        )
        return PanelData(columns=COLUMNS, rows=rows) if rows else None

    return Panel(title="Inboxes", render=render)
