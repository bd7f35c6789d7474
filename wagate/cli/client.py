"""``wagate client``: clients and their tokens."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.errors import UsageError
from wagate.cli.options import Json
from wagate.errors import WagateError

app = typer.Typer(
    help="Manage clients and their tokens. When no gateway runs, this works on the database directly.",
    no_args_is_help=True,
)

Slug = Annotated[str, typer.Argument(help="The client's slug: the tenant_id.")]
CLIENTS = "/api/clients"


@app.command()
def add(
    context: typer.Context,
    slug: Slug,
    name: Annotated[str, typer.Option(help="A display name; default: the slug.")] = "",
    as_json: Json = False,
) -> None:
    """Add a client and show its token, which is shown only once."""
    current = call.of(context)
    with gateway.connect(current) as running:
        if running:
            made = running.ask("POST", CLIENTS, body={"slug": slug} | ({"name": name} if name else {}))
        else:
            from wagate.cli import offline

            made = offline.add_client(current.config, slug, name)
    if as_json:
        show.emit_json(made)
    else:
        typer.echo(f"client {slug} has the id {made['id']}; its token, shown only once:", err=True)
        typer.echo(made["token"])


@app.command("list")
def list_clients(
    context: typer.Context,
    slug: Annotated[str | None, typer.Argument(help="List the tokens of this client instead.")] = None,
    as_json: Json = False,
) -> None:
    """List clients, or the ids of one client's tokens. The tokens themselves are never shown."""
    current = call.of(context)
    with gateway.connect(current) as running:
        rows = _clients(current, running) if slug is None else _tokens(current, running, slug)
    if as_json:
        show.emit_json(rows)
    elif slug is None:
        cells = [[row["id"], row["slug"], row["name"], show.moment(row["created_at"])] for row in rows]
        show.table(["id", "slug", "name", "made"], cells, empty="no clients", wraps=["name"], spare=["made"])
    else:
        cells = [
            [row["id"], row["name"], show.moment(row["created_at"]), show.moment(row.get("last_used_at"))]
            for row in rows
        ]
        show.table(["token id", "name", "made", "last used"], cells, empty="no tokens", wraps=["name"], spare=["made"])


@app.command()
def token(
    context: typer.Context,
    slug: Slug,
    name: Annotated[str, typer.Option(help="What the token is for.")] = "",
    as_json: Json = False,
) -> None:
    """Create another token for a client, and show it once."""
    current = call.of(context)
    with gateway.connect(current) as running:
        if running:
            made = running.ask("POST", f"{_path(slug)}/tokens", body={"name": name} if name else {})
        else:
            from wagate.cli import offline

            made = offline.add_token(current.config, slug, name)
    if as_json:
        show.emit_json(made)
    else:
        typer.echo(f"token {made['id']} of client {slug}, shown only once:", err=True)
        typer.echo(made["token"])


@app.command()
def revoke(
    context: typer.Context,
    slug: Slug,
    token_ids: Annotated[
        list[str] | None, typer.Argument(metavar="TOKEN_ID", help='Ids of tokens, as "client list SLUG" shows them.')
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Revoke all of the client's tokens.")] = False,
) -> None:
    """Revoke tokens of a client; they stop working immediately."""
    if bool(token_ids) == every:
        raise UsageError('give the ids of tokens to revoke ("wagate client list SLUG" shows them), or --all')
    current = call.of(context)
    with gateway.connect(current) as running:
        ids = token_ids or [each["id"] for each in _tokens(current, running, slug)]
        for done, token_id in enumerate(ids):
            try:
                _revoke(current, running, slug, token_id)
            except WagateError:
                if done:
                    typer.echo(f"{done} of {len(ids)} revoked", err=True)
                raise
    typer.echo(f"{len(ids)} revoked", err=True)


def _revoke(current: call.Call, running: gateway.Gateway | None, slug: str, token_id: str) -> None:
    if running:
        running.ask("DELETE", f"{_path(slug)}/tokens/{quote(token_id, safe='')}")
        return
    from wagate.cli import offline

    offline.revoke_token(current.config, slug, token_id)


def _clients(current: call.Call, running: gateway.Gateway | None) -> list[dict[str, Any]]:
    if running:
        return list(running.rows(CLIENTS, {}))
    from wagate.cli import offline

    return offline.list_clients(current.config)


def _tokens(current: call.Call, running: gateway.Gateway | None, slug: str) -> list[dict[str, Any]]:
    if running:
        return list(running.rows(f"{_path(slug)}/tokens", {}))
    from wagate.cli import offline

    return offline.list_tokens(current.config, slug)


def _path(slug: str) -> str:
    return f"{CLIENTS}/{quote(slug, safe='')}"
