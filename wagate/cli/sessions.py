"""``wagate sessions``: numbers that a phone is linked to, and their state."""

from __future__ import annotations

from typing import Annotated

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call

app = typer.Typer(help="Sessions: numbers that are linked by a code, and their state.", no_args_is_help=True)
SESSIONS = "/api/whatsapp/session/list-realtime"


@app.command("list")
def list_sessions(
    context: typer.Context,
    *,
    client: Annotated[str | None, typer.Option(help="Only those of this client, by slug or id.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only those in this state, or group of states: connected, disconnected …")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List sessions with their state."""
    asked = {name: value for name, value in (("userId", client), ("status", status)) if value}
    with gateway.required(call.of(context)) as running:
        rows = running.ask("GET", SESSIONS, params=asked)["data"]
    if as_json:
        show.emit_json(rows)
        return
    names = ["sessionId", "userId", "status", "message", "updatedAt"]
    cells = [[*(row[name] for name in names[:4]), show.moment(row["updatedAt"])] for row in rows]
    heads = ["session", "client", "state", "says", "since"]
    show.table(heads, cells, empty="no sessions", wraps=["says"], spare=["since", "client"])
