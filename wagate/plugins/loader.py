"""Find the plugins that the configuration names, check them, call their hooks."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec
import pluggy
import structlog

from wagate.errors import ConfigError
from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import AccountView, Handler
from wagate.hooks.messages import OutMessage
from wagate.hooks.providers import Check
from wagate.hooks.specs import PROJECT, PROVIDERS, Hooks
from wagate.plugins.registry import Providers

log = structlog.get_logger("wagate.plugins")

Convert = Callable[[type[msgspec.Struct], Mapping[str, Any], str], msgspec.Struct]
"""(settings type, table, key such as ``plugins.webhook``) → settings; raises ConfigError."""


@dataclass(frozen=True)
class Plugin:
    """One plugin that is on."""

    name: str
    """As in ``[plugins.<name>]`` and its entry point."""
    settings: msgspec.Struct | None
    """Its typed settings; None when it has none."""
    _manager: pluggy.PluginManager

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Call one hook of this plugin alone; what its implementations returned."""
        others = [each for name, each in self._manager.list_name_plugin() if name != self.name]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**arguments)
        return results

    def gather(self, hook: str, context: PluginContext) -> Iterator[Any]:
        """Everything that a ``register_…`` hook of this plugin gives."""
        for given in self.call(hook, context=context):
            yield from given

    def choose_account(self, message: OutMessage, accounts: Sequence[AccountView]) -> str | None:
        """What this plugin's ``choose_account`` says."""
        # A hook that takes the first answer gives it alone, or an empty list (pluggy) when there was none.
        chosen: Any = self.call("choose_account", message=message, accounts=accounts)
        return chosen if isinstance(chosen, str) else None

    def implements(self) -> list[str]:
        """Names of the hooks that this plugin implements."""
        plugin = self._manager.get_plugin(self.name)
        return sorted(caller.name for caller in self._manager.get_hookcallers(plugin) or [])


def installed() -> dict[str, EntryPoint]:
    """Entry points of the group ``wagate``: what could be switched on."""
    return {point.name: point for point in entry_points(group=PROJECT)}


def installed_providers() -> dict[str, EntryPoint]:
    """Entry points of the group ``wagate.providers``: what an account may name."""
    return {point.name: point for point in entry_points(group=PROVIDERS)}


def load_plugins(
    tables: Mapping[str, Mapping[str, Any]], convert: Convert, *, file: Path = Path("config.toml")
) -> list[Plugin]:
    """Import and check the plugins named in the configuration ``file``, in its order.

    Raises:
        ConfigError: one is not installed, can't be imported, implements an unknown hook or has wrong settings.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    available = installed()
    for name in tables:
        manager.register(_import(name, available, file), name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise ConfigError(f"[plugins.{error.plugin}]: {error}") from error
    return [Plugin(name, _settings(manager, name, table, convert), manager) for name, table in tables.items()]


def load_providers(
    plugins: Iterable[Plugin], build_context: Callable[[Plugin], PluginContext], providers: Providers
) -> None:
    """Fill ``providers``: with those of every provider that is installed, and of the connectors that are on.

    Of the former only ``register_providers`` is called. One that can't be used is logged, and refused when an account
    names it; the others go on.

    Raises:
        ConfigError: two have one name, or a connector that is on fails.
    """
    for plugin in plugins:
        providers.add(plugin.gather("register_providers", build_context(plugin)))
    for _, point in sorted(installed_providers().items()):
        try:
            plugin = _provider_plugin(point)
            made = list(plugin.gather("register_providers", build_context(plugin)))
        except Exception as error:
            log.warning("provider can't be used", provider=point.name, plugin=point.value, exc_info=error)
            providers.set_aside(point.name, f"{point.value}: {_named(error)}")
        else:
            providers.add(made)


def _named(error: Exception) -> str:
    """What clients are shown: the text of a foreign exception is for the log, but for that of an import."""
    return f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__


def plugin_checks(plugins: Iterable[Plugin], contexts: Mapping[str, PluginContext]) -> list[tuple[str, Check]]:
    """(plugin, its look) for ``wagate doctor``."""
    return [(each.name, check) for each in plugins for check in each.gather("register_checks", contexts[each.name])]


def _provider_plugin(point: EntryPoint) -> Plugin:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(point.load(), point.name)
    manager.check_pending()
    return Plugin(point.name, None, manager)


def unique_handlers(handlers: Iterable[Handler]) -> dict[str, Handler]:
    """Handlers by name. ConfigError when two plugins use one name."""
    found: dict[str, Handler] = {}
    for handler in handlers:
        if handler.name in found:
            raise ConfigError(f"two plugins register a handler named {handler.name!r}; switch one of them off")
        found[handler.name] = handler
    return found


def _import(name: str, available: Mapping[str, EntryPoint], file: Path) -> Any:
    point = available.get(name)
    if point is None:
        near = difflib.get_close_matches(name, available, n=1)
        hint = f"did you mean [plugins.{near[0]}]?" if near else f"install it: pip install wagate-{name}"
        raise ConfigError(f"{file}: [plugins.{name}]: no such plugin is installed; {hint}")
    try:
        return point.load()
    except Exception as error:
        raise ConfigError(f"[plugins.{name}]: {point.value} can't be imported: {error!r}") from error


def _settings(
    manager: pluggy.PluginManager, name: str, table: Mapping[str, Any], convert: Convert
) -> msgspec.Struct | None:
    plugin = Plugin(name, None, manager)
    types = plugin.call("settings_type")
    if types:
        return convert(types[0], table, f"plugins.{name}")
    if table:
        raise ConfigError(f"[plugins.{name}] takes no settings, but has: {', '.join(table)}")
    return None
