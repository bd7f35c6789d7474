"""``wagate init``: a commented config.toml and fresh secrets."""

from __future__ import annotations

import os
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from wagate.cli.errors import CommandError


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; created if it does not exist.")] = Path(),
) -> None:
    """Write a commented config.toml and fresh secrets. Never overwrites."""
    from wagate.config import load
    from wagate.config.secrets import TOKEN_FILE, open_secrets

    file = folder / "config.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # It may come to hold secrets.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CommandError(f"{file} already exists; nothing was changed") from error
    except OSError as error:
        raise CommandError(f"{file}: can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(example())
    typer.echo(f"written: {file}", err=True)
    config = load(file)
    secrets = open_secrets(config)
    for name in secrets.made:
        typer.echo(f"made: {config.data.dir / name}", err=True)
    if TOKEN_FILE in secrets.made:
        typer.echo("the admin token:", err=True)
        typer.echo(secrets.admin_token)
    typer.echo(f"next: {_serve(folder)}", err=True)


def _serve(folder: Path) -> str:
    here = folder.resolve() == Path.cwd()
    return "wagate serve" if here else f"wagate serve --config {shlex.quote(str(folder / 'config.toml'))}"


def example() -> str:
    """The commented config.toml, with every key at its default."""
    return files("wagate.cli").joinpath("templates", "config.toml").read_text("utf-8")
