"""``wagate send``: send a message for real."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call

UNKNOWN = "unknown"
"""Nobody knows whether it was sent."""


def send(
    context: typer.Context,
    account: Annotated[str, typer.Argument(help="The account to send from.")],
    to: Annotated[str, typer.Argument(help="A phone number, or a chat such as 15551234567@c.us.")],
    text: Annotated[str, typer.Argument(help="The message.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send a text message for real, and wait up to ten seconds for the provider.

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
