"""``wagate plugins``: what is installed, and a start for your own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wagate.cli import options as call
from wagate.cli import plugin_commands, plugin_project, show
from wagate.cli.errors import CommandError, UsageError
from wagate.errors import ConfigError

if TYPE_CHECKING:
    from wagate.config import Config

app = typer.Typer(help="Installed plugins, and a start for your own.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_plugins(context: typer.Context, as_json: Json = False) -> None:
    """List installed plugins with their hooks: connectors are on by their table, providers are there for accounts."""
    rows = _installed(set(call.of(context).config.plugins))
    if as_json:
        show.emit_json(rows)
        return
    cells = [
        [
            row["name"],
            "provider" if row["kind"] == "provider" else "on" if row["on"] else "off",
            row["package"],
            row["version"],
            row["error"] or " ".join(row["hooks"]),
        ]
        for row in rows
    ]
    show.table(["plugin", "is", "package", "version", "hooks"], cells, empty="no plugins are installed")


@app.command()
def check(context: typer.Context) -> None:
    """Import every installed plugin and call its hooks, each held to its specification.

    A plugin that is on has its settings; one that is off is called when it needs none.
    """
    config = call.of(context).config
    rows = _installed(set(config.plugins))
    wrong = [str(row["error"]) for row in rows if row["error"]]
    unseen = []
    for row in rows:
        if not row["error"]:
            try:
                wrong += _rehearsed(config, row["name"], row["kind"])
            except ConfigError:
                if row["on"]:
                    raise
                unseen.append(row["name"])
    if wrong:
        raise CommandError("\n".join(wrong))
    typer.echo("all installed plugins can be used")
    if unseen:
        typer.echo(f"not called, since they are off and need settings: {', '.join(unseen)}", err=True)


def _rehearsed(config: Config, name: str, kind: str) -> list[str]:
    """What is wrong with one. ConfigError: its settings are."""
    from wagate.cli.inert import inert_context
    from wagate.cli.rehearse import faults
    from wagate.config import convert_settings
    from wagate.plugins.loader import load_plugins, load_provider

    if kind == "provider":
        plugin = load_provider(name)
    else:
        [plugin] = load_plugins(
            {name: config.plugins.get(name, {})},
            lambda kind, table, key: convert_settings(kind, table, file=config.file, key=key),
            file=config.file,
        )
    return faults(plugin, inert_context(config, plugin))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Lower case, as in [plugins.NAME].")],
    folder: Annotated[Path | None, typer.Option(help="A new folder; wagate-NAME when not given.")] = None,
    provider: Annotated[bool, typer.Option("--provider", help="A way to WhatsApp in place of a connector.")] = False,
) -> None:
    """Write a ready project for a plugin of your own: one handler, or with --provider one provider, and its tests."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise UsageError(f"{name!r} can't be a plugin's name: take lower case letters, digits and _, a letter first")
    target = folder or Path(f"wagate-{name}")
    for file in plugin_project.write(name, target, "provider" if provider else "plugin"):
        typer.echo(file)
    use = f'an account with provider = "{name}"' if provider else f"[plugins.{name}]"
    typer.echo(f'next: pip install -e "{target}[test]", then {use} in config.toml', err=True)


def _installed(on: set[str]) -> list[dict[str, Any]]:
    from wagate.plugins.loader import installed, installed_providers

    kinds = {"connector": installed(), "provider": installed_providers()}
    found = [(kind, name, point) for kind, points in kinds.items() for name, point in sorted(points.items())]
    rows = []
    for kind, name, point in found:
        hooks: list[str] = []
        fault: str | None = None
        try:
            manager = plugin_commands.hooks_of(name, point)
            callers = manager.get_hookcallers(manager.get_plugin(name)) or []
            hooks = sorted(caller.name for caller in callers)
        except ConfigError as error:
            fault = str(error)
        row = {
            "name": name,
            "kind": kind,
            "on": kind == "provider" or name in on,
            "hooks": hooks,
            "error": fault,
            "entry_point": point.value,
        }
        rows.append(row | {"package": point.dist and point.dist.name, "version": point.dist and point.dist.version})
    return rows
