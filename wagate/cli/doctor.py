"""``wagate doctor``: would it work? The real things are asked."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call

PATH = "/api/doctor"
SIGNS = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}


def doctor(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Check Redis, disk, database, clocks and all providers. Exit 1 if something fails.

    The running gateway checks; when none runs, this command does.
    """
    current = call.of(context)
    with gateway.connect(current) as running:
        if running:
            lines = list(running.ask("GET", PATH)["data"])
        else:
            from wagate.cli import doctor_offline

            lines = doctor_offline.run_checks(current.config)
    if as_json:
        show.emit_json(lines)
    else:
        _print(lines)
    if any(line["level"] == "fail" for line in lines):
        raise typer.Exit(1)


def _print(lines: list[dict[str, Any]]) -> None:
    cells = [
        [SIGNS[line["level"]], line["part"], line["what"], line["detail"], line.get("next_step", "")] for line in lines
    ]
    heads = ["is", "part", "what", "seen", "next step"]
    show.table(heads, cells, empty="nothing was checked", wraps=["part", "what", "seen", "next step"])
    count = {level: sum(line["level"] == level for line in lines) for level in SIGNS}
    typer.echo(f"{count['ok']} ok, {count['warn']} to look at, {count['fail']} failed", err=True)
