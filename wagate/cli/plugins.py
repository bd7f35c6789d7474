"""``wagate plugins``: what is installed, and a start for your own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wagate.cli import options as call
from wagate.cli import plugin_commands, show
from wagate.cli.errors import CommandError, UsageError
from wagate.cli.options import Json
from wagate.errors import ConfigError

if TYPE_CHECKING:
    from wagate.config import Config

app = typer.Typer(help="List and check installed plugins, or start your own.", no_args_is_help=True)

Kind = Literal["plugin", "provider"]


@app.command("list")
def list_plugins(context: typer.Context, as_json: Json = False) -> None:
    """List installed plugins, and single files, with their hooks. A connector is on when config.toml has its table."""
    rows = _found(call.of(context).part("plugins.*.", "plugins.*.file"))
    if as_json:
        show.emit_json(rows)
        return
    cells = [
        [
            row["name"],
            "provider" if row["kind"] == "provider" else "on" if row["on"] else "off",
            row["package"] or row["entry_point"],
            row["version"] or "",
            row["error"] or " ".join(row["hooks"]),
        ]
        for row in rows
    ]
    heads = ["plugin", "is", "package", "version", "hooks"]
    show.table(heads, cells, empty="no plugins are installed", wraps=["package", "hooks"])
    _warn()


@app.command()
def check(context: typer.Context) -> None:
    """Import all plugins, installed or files, and call their hooks. Each is checked against its specification.

    Plugins that are on are called with their settings, others only if they need none.
    """
    from wagate.hooks.ending import old_uses

    config = call.of(context).part("plugins", "delivery", "server.host", "server.port", "server.public_url")
    with old_uses(lambda use: typer.echo(f"warning: {use}", err=True)):
        rows = _found(config)
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
    _warn()
    for line in _private(config, rows):
        typer.echo(f"warning: {line}", err=True)
    typer.echo("all installed plugins are usable")
    if unseen:
        typer.echo(f"not checked, because they are off and need settings: {', '.join(unseen)}", err=True)


def _warn() -> None:
    from wagate.plugins.loader import claimed_twice

    for line in claimed_twice():
        typer.echo(f"warning: {line}; uninstall one of them", err=True)


def _private(config: Config, rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each import of what wagate does not promise to keep, of plugins that did not come with it."""
    from wagate.hooks.public import private_imports
    from wagate.plugins.loader import available_to, installed_providers

    points = {**installed_providers(), **available_to(config.plugins, config.file)}
    for row in rows:
        if row["package"] != "wagate":
            for path in plugin_commands.sources(points[row["name"]]):
                for line, module in private_imports(path.read_text("utf-8", "replace")):
                    yield f"plugin {row['name']}: {path}:{line} imports {module}, which is private and may change"


def _rehearsed(config: Config, name: str, kind: str) -> list[str]:
    """What is wrong with one. ConfigError: its settings are."""
    from wagate.cli.rehearse import faults, inert_context
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
    name: Annotated[str, typer.Argument(help="The plugin's name, lower case, as in [plugins.NAME].")],
    folder: Annotated[Path | None, typer.Option(help="A new folder; default: wagate-NAME.")] = None,
    provider: Annotated[bool, typer.Option("--provider", help="Create a provider instead of a connector.")] = False,
) -> None:
    """Create a project for your own plugin. It has one handler (with --provider: one provider), tests, types and CI."""
    from wagate.plugins.loader import installed, installed_providers

    if point := installed().get(name) or installed_providers().get(name):
        package = point.dist.name if point.dist else point.value
        raise UsageError(f"{name!r} is already the name of a plugin in {package}; choose another one")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise UsageError(
            f"{name!r} is not a valid plugin name: use lower-case letters, digits and _, starting with a letter"
        )
    target = folder or Path(f"wagate-{name}")
    for file in write_project(name, target, "provider" if provider else "plugin"):
        typer.echo(file)
    use = f'an account with provider = "{name}"' if provider else f"[plugins.{name}]"
    typer.echo(f'next: pip install -e "{target}[test]", then {use} in config.toml, as in {target}/README.md', err=True)


def _found(config: Config) -> list[dict[str, Any]]:
    """What is installed, or a file that the configuration names."""
    from wagate.plugins.loader import available_to, installed_providers

    kinds = {"connector": available_to(config.plugins, config.file), "provider": installed_providers()}
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
            "on": kind == "provider" or name in config.plugins,
            "hooks": hooks,
            "error": fault,
            "entry_point": point.value,
        }
        package = {"package": point.dist.name, "version": point.dist.version} if point.dist else {}
        rows.append(row | ({"package": None, "version": None} | package))
    return rows


def _files(kind: Kind) -> dict[str, str]:
    """Template → where it goes. They end in .txt, so that nothing takes them for code of ours."""
    return {
        "pyproject.toml.txt": "pyproject.toml",
        "README.md.txt": "README.md",
        "LICENSE.txt": "LICENSE",
        "ci.yml.txt": ".github/workflows/ci.yml",
        f"{kind}.py.txt": "$module/__init__.py",
        "py.typed.txt": "$module/py.typed",
        f"test_{kind}.py.txt": "tests/test_$module.py",
    }


def _template(kind: Kind, name: str) -> str:
    """One of this kind, else one for both."""
    folder = files("wagate.cli").joinpath("templates")
    own = folder.joinpath(kind, name)
    return (own if own.is_file() else folder.joinpath("common", name)).read_text("utf-8")


def write_project(name: str, folder: Path, kind: Kind = "plugin") -> list[Path]:
    """Write the project into a new folder; the files. CommandError: the folder is there, or can't be."""
    names = {"name": name, "title": name.replace("_", " ").capitalize(), "module": f"wagate_{name}"}
    written = []
    try:
        folder.mkdir(parents=True)
        for template, place in _files(kind).items():
            path = folder / Template(place).substitute(names)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = _template(kind, template)
            path.write_text(Template(text).substitute(names), encoding="utf-8")
            written.append(path)
    except FileExistsError as error:
        raise CommandError(f"{folder} already exists; nothing was changed") from error
    except OSError as error:
        raise CommandError(f"{folder}: can't be written: {error.strerror}") from error
    return written
