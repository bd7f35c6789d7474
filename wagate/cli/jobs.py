"""``wagate jobs``: list, show, retry, cancel and export deliveries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from wagate.cli import gateway, show
from wagate.cli import options as call
from wagate.cli.errors import CommandError, NoGatewayError, UsageError
from wagate.cli.filters import Chosen, takes_filters
from wagate.cli.options import Json
from wagate.rules.states import Status

app = typer.Typer(help="Deliveries: each event for each target, its outcome.", no_args_is_help=True)
JOBS = "/api/jobs"
TARGETS = "/api/targets"
ID = re.compile("[0-9a-f-]{36}")

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of deliveries, or their beginnings.")]
State = Annotated[Status | None, typer.Option("--state", "--status", help="Only those in this state.")]


@app.command("list")
@takes_filters
def list_jobs(
    context: typer.Context,
    *,
    which: Chosen,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 50,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first."""
    current = call.of(context)
    rows = show.first(_rows(current, which.only(state), most=limit + 1), limit)
    if as_json:
        show.emit_json(rows)
        return
    names = _names(current, {_target(row) for row in rows})
    cells = [
        [
            row["id"],
            show.moment(row.get("created_at")),
            names[_target(row)],
            row.get("chat"),
            "stuck" if row.get("stuck") else row.get("status"),
            f"{row.get('attempt_count')}/{row.get('max_retries')}",
            row.get("error"),
        ]
        for row in rows
    ]
    heads = ["id", "stored", "target", "chat", "state", "tries", "error"]
    show.table(heads, cells, empty="no deliveries", wraps=["error"], spare=["target", "stored", "chat"])


@app.command("show")
def show_job(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A delivery's id or its beginning, or its event's id.")],
    as_json: Json = False,
) -> None:
    """Show one delivery with all its attempts."""
    current = call.of(context)
    with gateway.connect(current) as running:
        if running:
            row = running.ask("GET", _path(running.full_id(JOBS, job_id)))
        else:
            from wagate.cli import offline

            row = offline.get_job(current.config, job_id)
    if as_json:
        show.emit_json(row)
        return
    fields = [[key, value] for key, value in row.items() if key != "attempts" and value not in (None, "")]
    show.table(["field", "value"], fields, empty="", wraps=["value"])
    tries = [
        [
            each.get("number"),
            show.moment(each.get("started_at")),
            each.get("duration_ms"),
            each.get("http_status"),
            each.get("error"),
        ]
        for each in row.get("attempts") or []
    ]
    typer.echo()
    show.table(["try", "at", "ms", "status", "error"], tries, empty="not tried yet", wraps=["error"])


@app.command()
@takes_filters
def retry(
    context: typer.Context,
    *,
    ids: Ids = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that failed permanently and match the filters.")
    ] = False,
    which: Chosen,
) -> None:
    """Retry deliveries by id, or all failed ones. A delivery that was final goes to the end of its chat."""
    if bool(ids) == failed:
        raise UsageError("give the ids of deliveries, or --failed (with --since, --connector, --account …)")
    _steer(context, "retry", ids, which.only(Status.FAILED))


@app.command()
@takes_filters
def cancel(
    context: typer.Context,
    *,
    ids: Ids = None,
    pending: Annotated[bool, typer.Option("--pending", help="All that are waiting and match the filters.")] = False,
    which: Chosen,
) -> None:
    """Cancel deliveries by id, or all waiting ones."""
    if bool(ids) == pending:
        raise UsageError("give the ids of deliveries, or --pending (with --since, --connector, --account …)")
    _steer(context, "cancel", ids, which.only(Status.PENDING))


@app.command()
@takes_filters
def export(
    context: typer.Context,
    *,
    output: Annotated[Path | None, typer.Option(help="A new file; default: standard output.")] = None,
    which: Chosen,
    state: State = None,
) -> None:
    """Write deliveries as JSON lines, newest first."""
    rows = _rows(call.of(context), which.only(state), most=None)
    write: Callable[[str], object] = typer.echo
    with ExitStack() as stack:
        if output:
            write = _writer(stack, output)
        count = 0
        try:
            for row in show.progress(rows, "exporting"):
                write(json.dumps(row, ensure_ascii=False))
                count += 1
        finally:
            typer.echo(f"{count} written", err=True)


def _writer(stack: ExitStack, output: Path) -> Callable[[str], object]:
    try:
        file = stack.enter_context(output.open("x", encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{output}: {error.strerror}") from error
    return lambda line: file.write(line + "\n")


def _steer(context: typer.Context, verb: str, ids: list[str] | None, which: Chosen) -> None:
    """POST the verb to each delivery; exit code 1 when any was refused."""
    refused: list[str] = []
    with gateway.required(call.of(context)) as running:
        # All ids first: what is steered leaves the list that is being read.
        chosen = [running.full_id(JOBS, each) for each in ids or []] or [
            row["id"] for row in running.rows(JOBS, _online(running, which).params)
        ]
        for job_id in show.progress(chosen, verb):
            try:
                running.ask("POST", f"{_path(job_id)}/{verb}")
            except NoGatewayError:
                raise
            except CommandError as error:
                refused.append(f"{job_id}: {error}")
    typer.echo(f"{verb}: {len(chosen) - len(refused)} done, {len(refused)} refused", err=True)
    if refused:
        raise CommandError("\n".join(refused))


def _rows(current: call.Call, which: Chosen, *, most: int | None) -> Iterator[dict[str, Any]]:
    with gateway.connect(current) as running:
        if running:
            yield from running.rows(JOBS, _online(running, which).params, most=most)
            return
    from wagate.cli import offline

    if _may_be_a_name(which):
        which = which.by_name(offline.receivers(current.config, which.which.target or ""))
    yield from offline.deliveries(current.config, which, most=most)


def _may_be_a_name(which: Chosen) -> bool:
    """Ids of webhooks are as long as this: all targets are not read for one of them."""
    return which.which.target is not None and not ID.fullmatch(which.which.target)


def _online(running: gateway.Gateway, which: Chosen) -> Chosen:
    return which.by_name(running.rows(TARGETS, {})) if _may_be_a_name(which) else which


def _target(row: dict[str, Any]) -> str:
    return f"{row.get('connector')}:{row.get('target')}"


def _names(current: call.Call, targets: set[str]) -> dict[str, str]:
    """What these are called; one that is gone, or has no name, by its id."""
    with gateway.connect(current) as running:
        if running:
            return {each: _name(running, each) for each in targets}
    from wagate.cli import offline

    return {each: name or each for each, name in offline.names(current.config, sorted(targets)).items()}


def _name(running: gateway.Gateway, target: str) -> str:
    try:
        return str(running.ask("GET", f"{TARGETS}/{quote(target, safe=':')}")["name"]) or target
    except NoGatewayError:
        raise
    except CommandError:
        return target


def _path(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"
