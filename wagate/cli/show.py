"""What commands print: tables for people, JSON for programs, progress on the side."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence, Sized
from datetime import UTC, datetime
from typing import Any, TypeVar

import typer

from wagate.parsing.printable import printable, printable_json

T = TypeVar("T")


def emit_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(printable_json(value))


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Rows for people: drawn on a terminal, else one line each with tabs between; ``empty`` when there are none."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty, err=True)
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        drawn = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in cells:
            drawn.add_row(*map(escape, row))
        Console().print(drawn)
    else:
        for line in [list(heads), *cells]:
            typer.echo("\t".join(line))


def clean(value: Any) -> str:
    """Text on one line and without control characters: what came from outside must not steer the terminal."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(text)


def moment(text: str | None) -> str:
    """An RFC 3339 time, in this machine's zone, to the second."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


def rfc3339(when: datetime) -> str:
    """The form in which the API writes times."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def progress(items: Iterable[T], label: str) -> Iterator[T]:
    """The items, with a bar on standard error while they are worked on, if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    total = len(items) if isinstance(items, Sized) else None
    yield from track(items, label, total=total, console=Console(stderr=True), transient=True)
