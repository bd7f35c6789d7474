"""``wagate alerts``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import trio
import typer

from wagate.hooks.commands import CommandLine, command_line
from wagate.parsing.printable import printable
from wagate_alerts import by_apprise
from wagate_alerts.by_apprise import NotTakenError
from wagate_alerts.settings import Settings
from wagate_alerts.trial import TEXT, TITLE

app = typer.Typer()


@app.command("test")
def try_command(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="Name of the channel; default: each.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send a test message on each channel. Exit code 1 when one did not take it."""
    line = command_line(context)
    settings = line.settings("alerts", Settings)
    if line.runs():
        found = line.ask("POST", "/plugins/alerts/test", {"channel": channel})
    else:
        found = trio.run(_alone, line, settings, channel)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for each in found:
            said = f": {each['detail']}" if each["detail"] else ""
            typer.echo(printable(f"{'ok  ' if each['ok'] else 'FAIL'} {each['channel']}{said}"))
    raise typer.Exit(0 if all(each["ok"] for each in found) else 1)


async def _alone(line: CommandLine, settings: Settings, channel: str) -> list[dict[str, Any]]:
    """Without a gateway: what Apprise can do."""
    if channel and channel not in settings.channels:
        raise line.refuse(f"no channel is called {channel!r}; there are: {', '.join(settings.channels)}")
    found = []
    for name, each in settings.channels.items():
        if channel not in {"", name}:
            continue
        error = "no gateway runs, and WhatsApp needs one"
        if each.apprise:
            try:
                await by_apprise.send(each.apprise, TITLE, TEXT, proxy=settings.proxy)
                error = ""
            except NotTakenError as failure:
                error = str(failure)
        found.append({"channel": name, "ok": not error, "detail": error})
    return found
