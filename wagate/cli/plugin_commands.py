"""What installed plugins bring to the command line, each imported only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from wagate.cli import gateway
from wagate.cli.options import Call
from wagate.errors import ConfigError
from wagate.plugins.single_file import PluginFile, plugin_files

GROUP: Final = "wagate"
"""`wagate.hooks.specs.PROJECT`, which costs too much for ``--help``."""
HOOK: Final = "def register_commands"


@dataclass(frozen=True, kw_only=True)
class PluginCall(Call):
    """A call as commands of plugins know it: a `wagate.hooks.commands.CommandLine`."""

    def runs(self) -> bool:
        """Whether there is a gateway to `ask`."""
        with gateway.connect(self) as running:
            return running is not None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the gateway; NoGatewayError when none runs."""
        with gateway.required(self) as running:
            return running.ask(method, path, body=body)


def names(config: Path | None) -> list[str]:
    """Plugins that bring commands: installed, or a file. None is imported: their sources say it."""
    installed = [point.name for point in entry_points(group=GROUP) if HOOK in _source(point.module)]
    try:
        files = [name for name, each in _files(config).items() if HOOK in each.path.read_text("utf-8", "replace")]
    except (ConfigError, OSError):
        files = []  # Help is for those, too, whose configuration is broken.
    return sorted({*installed, *files})


def _files(config: Path | None) -> dict[str, PluginFile]:
    """The plugins that are a file, by the configuration alone. ConfigError: it can't be read."""
    from wagate.config.sources import read_toml

    file = config or Path("config.toml")
    tables = read_toml(file, named=config is not None).get("plugins")
    return plugin_files(tables if isinstance(tables, dict) else {}, file.absolute().parent)


def _source(module: str) -> str:
    found = next(iter(_places(module)), None)
    return found.read_text(encoding="utf-8", errors="replace") if found is not None else ""


def sources(point: EntryPoint | PluginFile) -> list[Path]:
    """The Python files of a plugin: its module, or all of its package."""
    if isinstance(point, PluginFile):
        return [point.path]
    found = _places(point.module)
    return sorted(found[0].parent.rglob("*.py")) if found and found[0].name == "__init__.py" else found


def _places(module: str) -> list[Path]:
    """Where the module's file is, without importing it."""
    package, *rest = module.split(".")
    spec = find_spec(package)
    if spec is None:
        return []
    places = [Path(place).joinpath(*rest) for place in spec.submodule_search_locations or ()]
    files = [each / "__init__.py" for each in places] + [each.with_suffix(".py") for each in places if rest]
    files += [Path(spec.origin)] if spec.origin and not rest else []
    return [each for each in files if each.is_file()]


def hooks_of(name: str, point: EntryPoint | PluginFile) -> Any:
    """Pluggy's manager with this one plugin in it. Raises ConfigError when it can't be used."""
    import pluggy

    from wagate.hooks.specs import PROJECT, Hooks
    from wagate.plugins.wall import pass_on

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    try:
        manager.register(point.load(), name)
        manager.check_pending()
    except BaseException as error:
        pass_on(error)
        raise ConfigError(f"plugin {name}: {point.value} can't be used: {error!r}") from error
    return manager


def find(name: str, config: Path | None) -> Any | None:
    """``wagate <plugin>``: the commands that the plugin's hook ``register_commands`` gives, if any."""
    import typer

    from wagate.plugins.loader import Plugin, installed

    point = installed().get(name) or _files(config).get(name)
    if point is None:
        return None
    apps = Plugin(name, None, hooks_of(name, point)).gather("register_commands")
    if not apps:
        return None
    group = typer.Typer(name=name, no_args_is_help=True, help=f"Commands of the plugin {name}.")
    for app in apps:
        group.add_typer(app, name=None)  # An app that has a name of its own would stand one level deeper.
    return typer.main.get_command(group)
