"""What commands print: tables for people, JSON for programs, progress on the side."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence, Sized
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import typer

from wagate.parsing.printable import printable, printable_json

T = TypeVar("T")
NARROWEST = 24
"""Characters in which a column that wraps is still read."""
GAP = 2
"""Characters between columns."""


def emit_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(printable_json(value))


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str,
    wraps: Collection[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Rows for people: drawn on a terminal, else one line each with tabs between; ``empty`` when there are none.

    An id or a URL is never cut. Where the terminal is too narrow, columns of ``wraps`` go on below, and columns of
    ``spare`` are left out, the first ones first.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty, err=True)
    elif sys.stdout.isatty():
        _draw(list(heads), cells, wraps, spare)
    else:
        for line in [list(heads), *cells]:
            typer.echo("\t".join(line))


def _draw(heads: list[str], cells: list[list[str]], wraps: Collection[str], spare: Sequence[str]) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    widths = {head: max(map(cell_len, column)) for head, *column in zip(heads, heads, *cells, strict=True)}
    least = {head: min(width, NARROWEST) if head in wraps else width for head, width in widths.items()}
    shown = list(heads)
    for head in spare:
        if sum(least[each] for each in shown) + GAP * (len(shown) - 1) > console.width:
            shown.remove(head)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for head in shown:
        drawn.add_column(head, overflow="fold", width=None if head in wraps else widths[head])
    for row in cells:
        drawn.add_row(*(escape(cell) for head, cell in zip(heads, row, strict=True) if head in shown))
    console.print(drawn, crop=False)
    if len(shown) < len(heads):
        gone = ", ".join(head for head in heads if head not in shown)
        typer.echo(f"this terminal is too narrow to show: {gone}", err=True)


def first(rows: Iterable[T], limit: int) -> list[T]:
    """The first ``limit`` rows; says so, on standard error, when there are more. Ask for one more than that."""
    found = list(islice(rows, limit + 1))
    if len(found) > limit:
        typer.echo(f"only the first {limit} are shown; use --limit to see more", err=True)
    return found[:limit]


def clean(value: Any) -> str:
    """Text on one line and without control characters: what came from outside must not steer the terminal."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(text)


def moment(text: str | None) -> str:
    """An RFC 3339 time, in this machine's zone, to the second."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


def progress(items: Iterable[T], label: str) -> Iterator[T]:
    """The items, with a bar on standard error while they are worked on, if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    total = len(items) if isinstance(items, Sized) else None
    yield from track(items, label, total=total, console=Console(stderr=True), transient=True)
