"""``wagate send`` and ``wagate messages``: send a message; what was submitted, and how far it got."""

from __future__ import annotations

import uuid
from typing import Annotated
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.options import Json

app = typer.Typer(help="Messages that were submitted, and their status.", no_args_is_help=True)
MESSAGES = "/messages"
UNKNOWN = "unknown"
"""Nobody knows whether it was sent."""


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
            "--state",
            "--status",
            help="Only those in this state: queued, sending, sent, delivered, read, failed, unknown.",
        ),
    ] = None,
    message_id: Annotated[str | None, typer.Option(help="Only the one with this provider's message id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 50,
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
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id in wagate, or its beginning.")],
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


def send(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="The account to send from.")],
    to: Annotated[str, typer.Argument(help="A phone number, or a chat such as 15551234567@c.us.")],
    text: Annotated[str, typer.Argument(help="The message.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send a text message for real. It waits up to ten seconds for the provider.

    What is not sent by then is `queued` and goes out later. An `unknown` message may have been sent; it is not retried:
    exit code 1, as for a message that was refused.
    """
    body = {"account": account, "to": to, "message": {"text": text}}
    with gateway.required(call.of(context)) as running:
        sent = running.ask("POST", "/messages/send", body=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    if as_json:
        show.emit_json(sent)
    else:
        typer.echo(f"{sent['status']} {show.clean(sent.get('message_id') or sent.get('id'))}")
        for note in (sent.get("detail"), *sent.get("warnings", ())):
            if note:
                typer.echo(show.clean(note), err=True)
    if sent["status"] == UNKNOWN:
        raise typer.Exit(1)
