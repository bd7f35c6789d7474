"""``wagate serve`` and ``wagate reload``: the gateway, and a changed configuration for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call

PATH = "/api/reload"


def serve(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file; default: ./config.toml.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="PLUGIN", help="Start without this plugin; repeatable.")
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    path = config or call.of(context).config_path
    # In place of this process: the command line's own libraries would take 10 MB for as long as it serves.
    os.execv(sys.executable, [sys.executable, "-m", "wagate.process.start", str(path or ""), *(without or [])])  # noqa: S606


def reload(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Have the gateway read config.toml and its secrets again. If anything is wrong, nothing changes.

    Accounts, the admin token and settings that plugins take up change at once. Other changed keys are listed; they need
    a restart. The command sends the variables of this shell that config.toml names as env:NAME.
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
        typer.echo(f"these changes need a restart: {', '.join(report['restart'])}", err=True)
