"""``wagate``: the tree of commands, and what all of them share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wagate import __version__
from wagate.cli import (
    accounts,
    backup,
    check,
    client,
    doctor,
    forget_secrets,
    init,
    jobs,
    messages,
    migrate,
    pair,
    plugin_commands,
    plugins,
    serve,
    simulate,
    targets,
    webhooks,
)
from wagate.cli.errors import UsageError
from wagate.cli.imports import commands as imports
from wagate.errors import WagateError
from wagate.parsing.printable import printable


class Root(TyperGroup):
    """Lets ``--config FILE`` stand anywhere, asks plugins for commands, and turns our errors into exit codes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse with ``--config`` moved to the front."""
        return super().parse_args(ctx, config_first(args))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of ours, else a plugin's."""
        return super().get_command(ctx, cmd_name) or plugin_commands.find(cmd_name, ctx.params.get("config"))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Ours, and the plugins' by their names: help imports none."""
        super().format_commands(ctx, formatter)
        if names := plugin_commands.names(ctx.params.get("config")):
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, f"Commands of the plugin {name}.") for name in names])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a WagateError is one line, and exit code 1 or 2."""
        try:
            return super().invoke(ctx)
        except WagateError as error:
            for line in str(error).splitlines():
                typer.echo(f"error: {printable(line)}", err=True)
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from error


def config_first(arguments: Sequence[str]) -> list[str]:
    """The same command line with ``--config FILE`` in front; what follows ``--`` is left alone."""
    found: list[str] = []
    rest = list(arguments)
    place = 0
    while place < len(rest) and rest[place] != "--":
        if rest[place] == "--config" and place + 1 < len(rest):
            found, rest[place : place + 2] = rest[place : place + 2], []
        elif rest[place].startswith("--config="):
            found = [rest.pop(place)]
        else:
            place += 1
    return found + rest


app = typer.Typer(
    cls=Root,
    name="wagate",
    help="A WhatsApp gateway in one process: nothing lost, every chat in order, connectors as plugins.",
    epilog="--config can also follow the command. Exit codes: 0 done, 1 refused or failed, 2 usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wagate {__version__}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file; default: ./config.toml.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Use the gateway at this URL instead of the one that uses data.dir.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="WAGATE_TOKEN", help="The token for --url; default: the admin token of data.dir."),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Note the options that all commands share."""
    context.obj = plugin_commands.PluginCall(config_path=config, url=url, token=token)


app.command()(serve.serve)
app.command()(init.init)
app.command()(check.check)
app.command()(doctor.doctor)
app.add_typer(client.app, name="client")
app.add_typer(jobs.app, name="jobs")
app.add_typer(targets.app, name="targets")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(messages.app, name="messages")
app.add_typer(accounts.app, name="accounts")
app.add_typer(accounts.sessions_app, name="sessions")
app.command()(pair.pair)
app.command()(messages.send)
app.add_typer(imports.app, name="import")
app.add_typer(simulate.app, name="simulate")
app.add_typer(plugins.app, name="plugins")
app.command()(serve.reload)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(migrate.migrate_database)
app.command()(forget_secrets.forget_secrets)


def main() -> None:
    """Run the command line and exit."""
    app(prog_name="wagate" if sys.argv[0].endswith("__main__.py") else None)
