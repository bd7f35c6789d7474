"""``wagate backup`` and ``wagate restore``: the data folder as one file, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wagate.cli import options as call

if TYPE_CHECKING:
    from wagate.process.backup import Kept, Listed, Manifest, Place

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, a tar file.")]


def backup(
    context: typer.Context,
    file: File,
    media: Annotated[
        Path | None, typer.Option(help="A folder for the media: hard links if possible, else copies.")
    ] = None,
) -> None:
    """Write database, secrets and engine keys to a new file. The gateway may run meanwhile. Media are listed in it."""
    from wagate.process.backup import write_backup

    place = _place(context)
    manifest = write_backup(place, file, media_to=media)
    typer.echo(f"written: {file} ({_many(manifest.files)})", err=True)
    _tell_of_media(manifest, place, media)
    if manifest.database == "postgres":
        typer.echo(
            'PostgreSQL is not included; run: pg_dump --format=custom --file=wagate.dump "$DATABASE_URL"', err=True
        )
    typer.echo("not included: config.toml and what it refers to (the folder secrets, the environment)", err=True)


def restore(
    context: typer.Context,
    file: File,
    media: Annotated[Path | None, typer.Option(help="The folder that backup --media filled.")] = None,
) -> None:
    """Fill an empty data folder from a backup. The gateway must not run."""
    from wagate.process.backup import restore_backup

    place = _place(context)
    missing = restore_backup(file, place, media_from=media)
    typer.echo(f"restored: {place.data}", err=True)
    if missing:
        typer.echo(f"{len(missing)} media files are missing: put them into {place.media}", err=True)
    if place.database is None:
        typer.echo('restore PostgreSQL with: pg_restore --dbname="$DATABASE_URL" wagate.dump', err=True)
    typer.echo('next: "wagate serve"; messages delivered since the backup are delivered again', err=True)


def _place(context: typer.Context) -> Place:
    from wagate.process.backup import Place
    from wagate.storage.backend.sqlite import Sqlite
    from wagate.storage.database import engine_at

    config = call.of(context).part("data.dir", "media.dir", "database.url")
    engine = engine_at(config.database.url, config.data.dir)
    return Place(
        data=config.data.dir,
        media=config.data.dir / config.media.dir.expanduser(),
        database=engine.path if isinstance(engine, Sqlite) else None,
    )


def _tell_of_media(manifest: Manifest, place: Place, media: Path | None) -> None:
    if media is not None:
        typer.echo(f"media: {_many(manifest.media)} in {media}", err=True)
    elif manifest.media:
        typer.echo(
            f"media: {_many(manifest.media)} are listed but not included; copy {place.media}, or use --media", err=True
        )


def _many(files: Sequence[Kept | Listed]) -> str:
    return f"{len(files)} files, {sum(each.size for each in files) / 1024**2:.1f} MiB"
