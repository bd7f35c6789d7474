"""A test message on every channel: by API, by ``wagate alerts test``, and what the doctor looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import trio
import typer
from quart import Blueprint

from wagate.errors import ForbiddenError, NotFoundError
from wagate.hooks import Finding, PluginContext, acts_on, endpoint
from wagate.hooks.commands import CommandLine, command_line
from wagate.parsing.printable import printable
from wagate_alerts import lines, rules
from wagate_alerts.lines import Alert, NotTakenError, Send, Ways
from wagate_alerts.settings import Settings
from wagate_alerts.watcher import MEMORY, remembered

TITLE = "wagate: a test"
TEXT = "This is a test of wagate's alerts. What needs somebody comes this way."
app = typer.Typer()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test message on one channel."""

    channel: str
    """Its name; on WhatsApp with the number's place."""
    ok: bool
    """Whether it was taken."""
    detail: str = ""
    """Why not, or what is not quite right."""


class TrialBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /plugins/alerts/test``."""

    channel: str = ""
    """'' is every channel."""


async def attempt(name: str, send: Send, key: str) -> Trial:
    """One test message."""
    try:
        said = await send(Alert(title=TITLE, text=TEXT, key=key))
    except NotTakenError as error:
        return Trial(channel=name, ok=False, detail=str(error))
    return Trial(channel=name, ok=True, detail=said)


def chosen(lines: Mapping[str, Send], channel: str) -> dict[str, Send]:
    """The lines of this channel, or all. NotFoundError names those there are."""
    found = {name: send for name, send in lines.items() if channel in {"", name, name.rpartition(" ")[0]}}
    if not found:
        raise NotFoundError(f"no channel is called {channel[:50]!r}; there are: {', '.join(lines)}")
    return found


def make_routes(context: PluginContext, ways: Ways) -> Blueprint:
    """``/plugins/alerts``."""
    routes = Blueprint(context.name, __name__)

    @routes.post("/test")
    @endpoint(answers={200: list[Trial]}, body=TrialBody, problems=(403, 404), body_optional=True, act="test alerts")
    async def test(*, body: TrialBody) -> list[Trial]:
        """Send a test message on one channel, or on each."""
        if not context.auth.identity().admin:
            raise ForbiddenError("alerts are the admin's: use the admin token")
        acts_on("alerts", detail=body.channel)
        key = f"test {context.clock.now().isoformat()}"
        return [await attempt(name, send, f"{key} {name}") for name, send in chosen(ways.lines, body.channel).items()]

    return routes


async def look(context: PluginContext, ways: Ways) -> Sequence[Finding]:
    """For the doctor: is each channel understood, is its account there, and did the last alert leave?"""
    settings, found = ways.settings, list[Finding]()
    urls = {name: each.apprise for name, each in settings.channels.items() if each.apprise}
    try:
        wrong = await lines.check_urls(urls, seconds=10) if urls else {}
    except NotTakenError as error:
        found.append(Finding(level="fail", what="apprise", detail=str(error), next_step="see the log"))
        wrong = {}
    for name, why in wrong.items():
        step = f"mend plugins.alerts.channels.{name}.apprise"
        found.append(Finding(level="fail", what=f"channel {name}", detail=why, next_step=step))
    for name, each in settings.channels.items():
        if each.account and context.accounts.get(each.account) is None:
            step = f"name one of `wagate accounts list` in plugins.alerts.channels.{name}.account"
            detail = f"there is no account {each.account!r}"
            found.append(Finding(level="fail", what=f"channel {name}", detail=detail, next_step=step))
    for name, why in rules.troubles(remembered(await context.store.get(MEMORY))):
        step = "it is tried again by itself; `wagate alerts test` tries now"
        found.append(Finding(level="fail", what=f"channel {name}", detail=why, next_step=step))
    told = ", ".join(settings.channels)
    return found or [Finding(level="ok", what="channels", detail=f"{told}; `wagate alerts test` tries them")]


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
                await lines.send_by_apprise(each.apprise, TITLE, TEXT, proxy=settings.proxy)
                error = ""
            except NotTakenError as failure:
                error = str(failure)
        found.append({"channel": name, "ok": not error, "detail": error})
    return found
