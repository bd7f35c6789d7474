"""``wagate serve``: the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wagate.cli import call


def serve(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration; ./config.toml if it is there.")] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    from wagate.app import run

    raise typer.Exit(run(config or call.of(context).config_path))
