"""``wagate targets``: every place that deliveries go to, by name, and what can be done to one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.errors import CommandError, UsageError
from wagate.cli.options import Json

app = typer.Typer(
    help="Receivers and their state. They are webhooks, inboxes, job queues and each number's sending.",
    no_args_is_help=True,
)
TARGETS = "/api/targets"

Which = Annotated[
    str, typer.Argument(metavar="TARGET", help="Its id, the beginning of its id, or its name, if only one has it.")
]


@app.command("list")
def list_targets(
    context: typer.Context,
    *,
    connector: Annotated[str | None, typer.Option(help="Only those of this connector.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state: up, failing, down, paused, disabled.")
    ] = None,
    error: Annotated[str | None, typer.Option(help="Only those whose last error contains this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 200,
    as_json: Json = False,
) -> None:
    """List receivers with what waits for them."""
    asked = {name: value for name, value in (("connector", connector), ("state", state)) if value}
    with gateway.required(call.of(context)) as running:
        every = running.rows(TARGETS, asked)
        part = (error or "").lower()
        rows = show.first((row for row in every if part in (row["last_error"] or "").lower()), limit)
    if as_json:
        show.emit_json(rows)
        return
    heads = ["id", "name", "state", "waiting", "oldest", "failed 24 h", "last error", "url"]
    cells = [
        [
            row["id"],
            row["name"],
            row["state"],
            row["waiting"],
            show.moment(row["oldest_waiting_at"]),
            row["failed"],
            row["last_error"] if row["failing_since"] else "",
            row["url"],
        ]
        for row in rows
    ]
    spare = ["url", "oldest", "failed 24 h", "last error"]
    show.table(heads, cells, empty="no targets", wraps=["name", "last error", "url"], spare=spare)


@app.command("show")
def show_target(context: typer.Context, target: Which, as_json: Json = False) -> None:
    """Show one receiver."""
    with gateway.required(call.of(context)) as running:
        _print(_found(running, target), as_json=as_json)


@app.command()
def pause(context: typer.Context, target: Which, as_json: Json = False) -> None:
    """Send it nothing until it is resumed. What comes in waits in order, and nothing is given up."""
    _act(context, target, "pause", as_json=as_json)


@app.command()
def resume(context: typer.Context, target: Which, as_json: Json = False) -> None:
    """End its pause."""
    _act(context, target, "resume", as_json=as_json)


@app.command()
def probe(context: typer.Context, target: Which, as_json: Json = False) -> None:
    """If it is down, try it now. The outcome comes later: see `show`."""
    _act(context, target, "probe", as_json=as_json)


@app.command()
def recover(
    context: typer.Context,
    target: Which,
    since: Annotated[str, typer.Option(help="How far back: 2h, 30d; 90d at most.")] = "24h",
    as_json: Json = False,
) -> None:
    """Resend what failed permanently there, in order."""
    from wagate.config import Duration

    try:
        seconds = int(Duration(since))
    except ValueError as error:
        raise UsageError(f"--since {since!r}: write how long, such as 2h or 30d") from error
    with gateway.required(call.of(context)) as running:
        path = _path(_found(running, target)["id"])
        answer = running.ask("POST", f"{path}/recover", body={"since": seconds})
    if as_json:
        show.emit_json(answer)
    else:
        typer.echo(f"{answer['recovered']} will be sent again", err=True)


def _act(context: typer.Context, target: str, verb: str, *, as_json: bool) -> None:
    with gateway.required(call.of(context)) as running:
        row = running.ask("POST", f"{_path(_found(running, target)['id'])}/{verb}")
    _print(row, as_json=as_json)


def _found(running: gateway.Gateway, given: str) -> dict[str, Any]:
    """The target with this id, else the only one that is called so, or whose id begins so.

    CommandError: none, or several.
    """
    rows = list(running.rows(TARGETS, {}))
    kinds = (
        [row for row in rows if given in {row["id"], row["target"]}],
        [row for row in rows if row["name"] == given],
        [row for row in rows if row["id"].startswith(given) or row["target"].startswith(given)],
    )
    found = next((each for each in kinds if each), [])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f'no target {given!r}; "wagate targets list" shows them')
    some = ", ".join(row["id"] for row in found[:3])
    raise CommandError(
        f"{given!r} could be {len(found)} targets, such as {some}; give the id, or more of its characters"
    )


def _path(target_id: str) -> str:
    return f"{TARGETS}/{quote(target_id, safe=':')}"


def _print(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.emit_json(row)
        return
    known = [(name, value) for name, value in row.items() if value not in (None, "")]
    show.table(["field", "value"], known, empty="", wraps=["value"])
