"""``wagate accounts`` and ``wagate sessions``: the numbers that this gateway has, and their state."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.options import Json

app = typer.Typer(help="Accounts: the WhatsApp numbers that this gateway has.", no_args_is_help=True)
ACCOUNTS = "/api/accounts"
sessions_app = typer.Typer(help="Sessions: numbers linked by a code, and their state.", no_args_is_help=True)
SESSIONS = "/api/whatsapp/session/list-realtime"


@app.command("list")
def list_accounts(
    context: typer.Context,
    *,
    client: Annotated[str | None, typer.Option(help="Only those of this client, by slug or id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 200,
    as_json: Json = False,
) -> None:
    """List accounts, oldest first."""
    with gateway.required(call.of(context)) as running:
        rows = show.first(running.rows(ACCOUNTS, {"client": client} if client else {}, most=limit + 1), limit)
    if as_json:
        show.emit_json(rows)
        return
    heads = ["name", "client", "provider", "phone", "state", "says", "webhook"]
    fields = ["name", "tenant_id", "provider", "phone", "status", "message", "webhook_url"]
    cells = [[row[field] for field in fields] for row in rows]
    show.table(heads, cells, empty="no accounts", wraps=["says", "webhook"], spare=["webhook", "says", "client"])


@app.command("show")
def show_account(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    as_json: Json = False,
) -> None:
    """Show one account; its secrets are masked."""
    with gateway.required(call.of(context)) as running:
        row = running.ask("GET", f"{ACCOUNTS}/{quote(name, safe='')}")
    if as_json:
        show.emit_json(row)
    else:
        show.table(["field", "value"], row.items(), empty="", wraps=["value"])


@sessions_app.command("list")
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
