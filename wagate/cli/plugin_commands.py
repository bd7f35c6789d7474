"""What installed plugins bring to the command line, each imported only when it is asked for."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any


def hooks_of(name: str, point: EntryPoint) -> Any:
    """Pluggy's manager with this one installed plugin in it. Raises ConfigError when it can't be used."""
    import pluggy

    from wagate.errors import ConfigError
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


def find(name: str) -> Any | None:
    """``wagate <plugin>``: the commands that the installed plugin's hook ``register_commands`` gives, if any."""
    import typer

    from wagate.plugins.loader import Plugin, installed

    point = installed().get(name)
    if point is None:
        return None
    apps = Plugin(name, None, hooks_of(name, point)).gather("register_commands")
    if not apps:
        return None
    group = typer.Typer(name=name, no_args_is_help=True, help=f"Commands of the plugin {name}.")
    for app in apps:
        group.add_typer(app)
    return typer.main.get_command(group)
