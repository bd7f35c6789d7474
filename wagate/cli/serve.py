"""``wagate serve``: the gateway."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from wagate.cli import options as call


def serve(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file; default: ./config.toml.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="PLUGIN", help="Leave this plugin out, for this start; repeatable.")
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    path = config or call.of(context).config_path
    # In place of this process: the command line's own libraries would take 10 MB for as long as it serves.
    os.execv(sys.executable, [sys.executable, "-m", "wagate.process.start", str(path or ""), *(without or [])])  # noqa: S606
