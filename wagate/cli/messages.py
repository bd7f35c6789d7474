"""``wagate messages``: what was submitted to be sent, and how far it got."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.options import Json

app = typer.Typer(help="Messages that were submitted to be sent, and how far they got.", no_args_is_help=True)
MESSAGES = "/messages"


@app.command("list")
def list_messages(
    context: typer.Context,
    *,
    client: Annotated[str | None, typer.Option(help="Only those of this client, by slug or id.")] = None,
    account: Annotated[str | None, typer.Option(help="Only those of this account.")] = None,
    chat: Annotated[str | None, typer.Option(help="Only those to this chat: +15551234567, 15551234567@c.us.")] = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--state", "--status", help="Only those: queued, sending, sent, delivered, read, failed, unknown."
        ),
    ] = None,
    message_id: Annotated[str | None, typer.Option(help="Only the one with this id of the provider's.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List messages, newest first."""
    given = {"tenant_id": client, "account": account, "chat": chat, "status": status, "message_id": message_id}
    asked = {name: value for name, value in given.items() if value}
    with gateway.required(call.of(context)) as running:
        rows = show.first(running.rows(MESSAGES, asked, most=limit + 1), limit)
    if as_json:
        show.emit_json(rows)
        return
    cells = [
        [
            row["id"],
            show.moment(row["created_at"]),
            row["account"],
            row["chat"],
            row["type"],
            row["status"],
            row["error"],
        ]
        for row in rows
    ]
    heads = ["id", "submitted", "account", "chat", "type", "state", "error"]
    show.table(heads, cells, empty="no messages", wraps=["error"], spare=["type", "submitted", "account"])


@app.command("show")
def show_message(
    context: typer.Context,
    message_id: Annotated[str, typer.Argument(metavar="ID", help="wagate's id of it, or its beginning.")],
    as_json: Json = False,
) -> None:
    """Show one message."""
    with gateway.required(call.of(context)) as running:
        row = running.ask("GET", f"{MESSAGES}/{quote(running.full_id(MESSAGES, message_id), safe='')}")
    if as_json:
        show.emit_json(row)
        return
    known = [(name, value) for name, value in row.items() if value not in (None, "", [])]
    show.table(["field", "value"], known, empty="", wraps=["value"])
