"""``wagate accounts``: the numbers that this gateway has."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.options import Json

app = typer.Typer(help="Accounts: the WhatsApp numbers that this gateway has.", no_args_is_help=True)
ACCOUNTS = "/api/accounts"


@app.command("list")
def list_accounts(
    context: typer.Context,
    *,
    client: Annotated[str | None, typer.Option(help="Only those of this client, by slug or id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 200,
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
