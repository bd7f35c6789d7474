"""``wagate webhooks``: what is registered, and its options."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.errors import CommandError, UsageError
from wagate.cli.options import Json

app = typer.Typer(help="Webhooks that clients registered, and their options.", no_args_is_help=True)
WEBHOOKS = "/api/webhooks"

Id = Annotated[str, typer.Argument(metavar="ID", help="A webhook's id, its beginning, or its name.")]


@app.command("list")
def list_webhooks(
    context: typer.Context,
    *,
    tenant: Annotated[str | None, typer.Option("--client", help="Only those of this client, by slug.")] = None,
    as_json: Json = False,
) -> None:
    """List webhooks, newest first."""
    params = {"tenant_id": tenant} if tenant else {}
    with gateway.required(call.of(context)) as running:
        rows = list(running.rows(f"{WEBHOOKS}/list", params, most=None))
    if as_json:
        show.emit_json(rows)
        return
    heads = ["id", "tenant_id", "phone_number", "name", "webhook_url", "status", "events", "timeout", "rate"]
    cells = [[row[head] for head in heads] for row in rows]
    shown = ["id", "client", *heads[2:]]
    wraps, spare = ["name", "webhook_url", "events"], ["timeout", "rate", "name", "phone_number", "events", "client"]
    show.table(shown, cells, empty="no webhooks", wraps=wraps, spare=spare)


@app.command("show")
def show_webhook(context: typer.Context, webhook_id: Id, as_json: Json = False) -> None:
    """Show one webhook with its health and all its options."""
    with gateway.required(call.of(context)) as running:
        _print(running.ask("GET", _path(running, webhook_id)), as_json=as_json)


@app.command("set")
def set_options(
    context: typer.Context,
    webhook_id: Id,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Fields; NAME= resets one.")],
    as_json: Json = False,
) -> None:
    """Change a webhook. `set ID rate=5 burst=10 timeout=` sets two options and resets one."""
    body = dict(_field(each) for each in values)
    with gateway.required(call.of(context)) as running:
        _print(running.ask("PATCH", _path(running, webhook_id), body=body), as_json=as_json)


@app.command("rotate-secret")
def rotate_secret(context: typer.Context, webhook_id: Id, as_json: Json = False) -> None:
    """Make a new signing secret, shown only once. The old one signs, too, for 24 hours (but in WAHA's format)."""
    with gateway.required(call.of(context)) as running:
        made = running.ask("POST", f"{_path(running, webhook_id)}/rotate-secret", body={})
    if as_json:
        show.emit_json(made)
        return
    typer.echo(made["secret"])
    until = "set it over there at once" if made["format"] == "waha" else "the old one signs, too, for 24 hours"
    typer.echo(f"Shown only now; {until}.", err=True)


def _field(text: str) -> tuple[str, Any]:
    """``rate=5`` → a number; what is no JSON is text; nothing is null."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"{text!r} is not NAME=VALUE, like rate=5")
    try:
        return name, json.loads(value) if value else None
    except ValueError:
        return name, value


def _path(running: gateway.Gateway, given: str) -> str:
    return f"{WEBHOOKS}/{_full_id(running, given)}"


def _full_id(running: gateway.Gateway, given: str) -> str:
    """The webhook with this id, the only one whose id begins so, or that is called so.

    CommandError: none, or several.
    """
    listed = f"{WEBHOOKS}/list"
    if gateway.last_with(given) is not None or re.fullmatch(gateway.ID, given):
        return running.full_id(listed, given)
    found = [row["id"] for row in running.rows(listed, {}) if row["name"] == given]
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise CommandError(f'no webhook {given!r}; "wagate webhooks list" shows them')
    raise CommandError(f"{given!r} could be {len(found)} webhooks, such as {' and '.join(found[:2])}; give the id")


def _print(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.emit_json(row)
    else:
        show.table(["field", "value"], row.items(), empty="", wraps=["value"])
