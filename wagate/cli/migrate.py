"""``wagate migrate-database``: from SQLite to PostgreSQL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from wagate.cli import options as call
from wagate.cli.errors import CommandError

if TYPE_CHECKING:
    from wagate.storage.backend.sqlite import Sqlite


def migrate_database(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="postgresql://user:password@host/name, or env:NAME for a variable.")
    ],
) -> None:
    """Copy the SQLite database into an empty PostgreSQL one. All goes over, or nothing. The gateway must not run."""
    import trio

    from wagate.config.lock import hold
    from wagate.storage.backend.sqlite import Sqlite
    from wagate.storage.database import engine_at

    config = call.of(context).part("data.dir", "database.url")
    source = engine_at(config.database.url, config.data.dir)
    if not isinstance(source, Sqlite):
        raise CommandError(f"{config.file}: database.url already names PostgreSQL")
    if not source.path.exists():
        raise CommandError(f"{source.path}: there is no database yet")
    with hold(config.data.dir, port=0):
        copied = trio.run(_copy, source, _read(url))
    typer.echo(f"{len(copied)} tables, {sum(copied.values())} rows, counted on both sides", err=True)
    typer.echo(f"next: set database.url in {config.file}, and archive {source.path}, which is no longer used", err=True)


def _read(url: str) -> str:
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        if name not in os.environ:
            raise CommandError(f"the environment variable {name} is not set")
        url = os.environ[name]
    if not url.startswith(("postgresql://", "postgres://")):
        raise CommandError("URL must be like postgresql://user:password@host/name")
    return url


async def _copy(source: Sqlite, url: str) -> dict[str, int]:
    from wagate.storage.backend.dialect import disconnect
    from wagate.storage.backend.postgres import Postgres
    from wagate.storage.database import Database, open_database
    from wagate.storage.upkeep.copies import copy_over

    target = Database(Postgres(url), readers=1)
    try:
        async with open_database(f"sqlite:///{source.path}", source.path.parent, readers=1):
            reader = source.open(writer=False)
            try:
                return await target.write(copy_over, reader, target.where, _tell)
            finally:
                disconnect(reader)
    finally:
        await target.close()


def _tell(table: str, rows: int) -> None:
    typer.echo(f"{table}: {rows}", err=True)
