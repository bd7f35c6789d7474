"""``wagate reload``: the running gateway takes up a changed configuration."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call

PATH = "/api/reload"


def reload(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Have the running gateway read config.toml and its secrets again; a wrong one is refused, and the old one goes on.

    Accounts, the admin token and settings that plugins take up count at once; other keys are listed, and count after a
    restart. Variables of this shell that config.toml names as env:NAME go along.
    """
    from wagate.config.sources import named_variables

    current = call.of(context)
    given = {name: os.environ[name] for name in named_variables(current.config_file) if name in os.environ}
    with gateway.required(current) as running:
        report = running.ask("POST", PATH, body={"environment": given})
    if as_json:
        show.emit_json(report)
        return
    typer.echo(f"taken up: {', '.join(report['taken_up']) or 'nothing has changed'}")
    if report["restart"]:
        typer.echo(f"changed, but only a restart takes it up: {', '.join(report['restart'])}", err=True)
