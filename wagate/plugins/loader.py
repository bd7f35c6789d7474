"""Find the plugins that the configuration names, check them, call their hooks."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pluggy
import structlog
from quart import Blueprint

from wagate.config import Config
from wagate.config.declared import declared_secrets
from wagate.errors import ConfigError, NotInstalledError, WagateError
from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import AccountView, Handler
from wagate.hooks.messages import OutMessage
from wagate.hooks.panels import Panel
from wagate.hooks.providers import Check
from wagate.hooks.specs import PROJECT, PROVIDERS, Hooks
from wagate.plugins.checked_handler import checked_handler, checked_look, checked_panel, checked_task
from wagate.plugins.checked_provider import checked_provider
from wagate.plugins.installed import entry_points
from wagate.plugins.registry import Providers
from wagate.plugins.single_file import KEY, PluginFile, plugin_files
from wagate.plugins.values import WrongValueError, items, named
from wagate.plugins.wall import broken, pass_on
from wagate.storage.minutes import RESERVED

log = structlog.get_logger("wagate.plugins")

Convert = Callable[[type[msgspec.Struct], Mapping[str, Any], str], msgspec.Struct]
"""(settings type, table, key such as ``plugins.webhook``) → settings; raises ConfigError."""


def _of(kind: type, _plugin: str, value: Any) -> Any:
    """The value, when it is of this type. WrongValueError."""
    if not isinstance(value, kind):
        raise WrongValueError(f"{named(value)}, not {kind.__name__}")
    return value


def _commands(_plugin: str, value: Any) -> Any:
    # Typer is heavy, and the gateway loads it for nobody.
    if named(value) != "Typer":
        raise WrongValueError(f"{named(value)}, not Typer")
    return value


CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "check_settings": partial(_of, str),
    "register_handlers": checked_handler,
    "register_providers": checked_provider,
    "register_routes": partial(_of, Blueprint),
    "register_tasks": checked_task,
    "register_checks": checked_look,
    "register_panels": checked_panel,
    "register_commands": _commands,
}
"""Hook → (plugin, one thing that it gave) → the same behind the wall. WrongValueError."""


class _Registry(pluggy.PluginManager):
    """Looks for hooks among a module's functions alone.

    Pluggy looks up each of its names as it would in a class, which takes half of what loading the providers takes.
    """

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """What a hook's mark says; None: it is none."""
        if isinstance(plugin, ModuleType) and not inspect.isroutine(plugin.__dict__.get(name)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


@dataclass(frozen=True)
class Plugin:
    """One plugin that is on."""

    name: str
    """As in ``[plugins.<name>]`` and its entry point."""
    settings: msgspec.Struct | None
    """Its typed settings; None when it has none."""
    _manager: pluggy.PluginManager

    @property
    def secrets(self) -> frozenset[str]:
        """What its settings declare as secret."""
        return frozenset(declared_secrets(type(self.settings), self.settings))

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Call one hook of this plugin alone; what its implementations returned. PluginError."""
        others = [each for name, each in self._manager.list_name_plugin() if name != self.name]
        try:
            results: list[Any] = self._manager.subset_hook_caller(hook, others)(**arguments)
        except BaseException as error:
            raise broken(self.name, hook, error) from error
        return results

    def gather(self, hook: str, **context: PluginContext) -> list[Any]:
        """All that ``check_settings`` or a ``register_…`` hook gives, each thing behind the wall. PluginError."""
        check = partial(CHECKS[hook], self.name)
        try:
            return [each for given in self.call(hook, **context) for each in items(given, check)]
        except BaseException as error:
            raise broken(self.name, hook, error) from error

    def lifespans(self, context: PluginContext) -> list[AbstractAsyncContextManager[None]]:
        """What its ``lifespan`` gives, to be entered. PluginError."""
        given = self.call("lifespan", context=context)
        for each in given:
            if not isinstance(each, AbstractAsyncContextManager):
                raise broken(self.name, "lifespan", WrongValueError(f"{named(each)}, no async context manager"))
        return given

    def choose_account(self, message: OutMessage, accounts: Sequence[AccountView]) -> str | None:
        """What this plugin's ``choose_account`` says. PluginError."""
        # A hook that takes the first answer gives it alone, or an empty list (pluggy) when there was none.
        chosen: Any = self.call("choose_account", message=message, accounts=accounts)
        if chosen == [] or chosen is None:
            return None
        if not isinstance(chosen, str):
            raise broken(self.name, "choose_account", WrongValueError(f"{named(chosen)}, not str or None"))
        if chosen not in {account.name for account in accounts}:
            raise broken(self.name, "choose_account", WrongValueError("no account of the client that sends"))
        return chosen

    def take_settings(self, context: PluginContext, settings: msgspec.Struct | None) -> Callable[[], None] | None:
        """What puts new settings in force; None: a restart does. PluginError: it takes none of these."""
        if settings is None:
            return None
        given = self.call("take_settings", context=context, settings=settings)
        take = given[0] if given else None
        if take is not None and not callable(take):
            raise broken(self.name, "take_settings", WrongValueError(f"{named(take)}, no function"))
        return None if take is None else partial(self._put_in_force, take)

    def _put_in_force(self, take: Callable[[], None]) -> None:
        try:
            take()
        except BaseException as error:
            raise broken(self.name, "take_settings", error) from error

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


def available_to(tables: Mapping[str, Mapping[str, Any]], file: Path) -> Mapping[str, EntryPoint | PluginFile]:
    """What the tables of the configuration ``file`` can switch on: what is installed, and the files that they name."""
    return {**plugin_files(tables, file.absolute().parent), **installed()}


def _own_keys(table: Mapping[str, Any], point: EntryPoint | PluginFile) -> Mapping[str, Any]:
    """The plugin's own settings in its table."""
    return {key: value for key, value in table.items() if not (key == KEY and isinstance(point, PluginFile))}


def claimed_twice() -> list[str]:
    """A line for each name that several packages bring: only one of them is used."""
    owners: dict[tuple[str, str], list[EntryPoint]] = {}
    for group in (PROJECT, PROVIDERS):
        for point in entry_points(group=group):
            owners.setdefault((group, point.name), []).append(point)
    lines = []
    for (_, name), points in sorted((name, points) for name, points in owners.items() if len(points) > 1):
        packages = {point.dist.name: point for point in points if point.dist}
        if len(packages) > 1:
            used = next(package for package, point in packages.items() if point == points[-1])
            lines.append(f"{' and '.join(sorted(packages))} both provide a plugin {name}; the one from {used} is used")
    return lines


def load_plugins(
    tables: Mapping[str, Mapping[str, Any]], convert: Convert, *, file: Path = Path("config.toml")
) -> list[Plugin]:
    """Import and check the plugins named in the configuration ``file``, in its order.

    Raises:
        ConfigError: one is not installed, can't be imported, implements an unknown hook or has wrong settings.
    """
    for line in claimed_twice():
        log.warning("two plugins of one name", plugins=line)
    manager = _Registry(PROJECT)
    manager.add_hookspecs(Hooks)
    available = available_to(tables, file)
    modules = {name: _import(name, available, file) for name in tables}
    for name, module in modules.items():
        try:
            manager.register(module, name)
        except pluggy.PluginValidationError as error:
            raise ConfigError(f"[plugins.{name}]: {'; '.join(str(error).splitlines())}") from error
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise ConfigError(f"[plugins.{error.plugin}]: {error}") from error
    return [
        Plugin(name, _settings(manager, name, _own_keys(table, available[name]), convert), manager)
        for name, table in tables.items()
    ]


def with_secrets(config: Config, plugins: Iterable[Plugin]) -> Config:
    """The configuration, which knows now what its plugins declare as secret."""
    return msgspec.structs.replace(config, secrets=config.secrets.union(*(each.secrets for each in plugins)))


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
        providers.add(plugin.gather("register_providers", context=build_context(plugin)))
    for _, point in sorted(installed_providers().items()):
        try:
            plugin = _provider_plugin(point)
            made = plugin.gather("register_providers", context=build_context(plugin))
        except WagateError as error:
            if (missing := _missing(error)) is not None:
                # An extra that nobody asked for is no fault; who names the provider is told.
                providers.set_aside(point.name, str(missing))
                continue
            log.warning("provider can't be used", plugin=point.name, module=point.value, error=str(error))
            providers.set_aside(point.name, str(error))
        else:
            providers.add(made)


def _missing(error: BaseException | None) -> NotInstalledError | None:
    while error is not None and not isinstance(error, NotInstalledError):
        error = error.__cause__
    return error


def load_provider(name: str) -> Plugin:
    """The installed plugin of a provider. ConfigError: it can't be used."""
    return _provider_plugin(installed_providers()[name])


def plugin_checks(plugins: Iterable[Plugin], contexts: Mapping[str, PluginContext]) -> list[tuple[str, Check]]:
    """(plugin, its look) for ``wagate doctor``."""
    return [
        (each.name, check) for each in plugins for check in each.gather("register_checks", context=contexts[each.name])
    ]


def panels_of(plugins: Iterable[Plugin], contexts: Mapping[str, PluginContext]) -> dict[str, list[Panel]]:
    """For the dashboard, by plugin; those that have none are not there."""
    found = {each.name: list(each.gather("register_panels", context=contexts[each.name])) for each in plugins}
    return {name: panels for name, panels in found.items() if panels}


def _provider_plugin(point: EntryPoint) -> Plugin:
    manager = _Registry(PROJECT)
    manager.add_hookspecs(Hooks)
    try:
        manager.register(point.load(), point.name)
        manager.check_pending()
    except BaseException as error:
        pass_on(error)
        raise ConfigError(f"{point.value} can't be used: {error!r}") from error
    return Plugin(point.name, None, manager)


def unique_handlers(handlers: Iterable[Handler], known: Collection[str] = ()) -> dict[str, Handler]:
    """Handlers by name. ConfigError: two plugins use one name, or one uses a name of `RESERVED`.

    ``known`` has deliveries from before that was refused: it is warned of.
    """
    found: dict[str, Handler] = {}
    for handler in handlers:
        if handler.name in found:
            raise ConfigError(f"two plugins register a handler named {handler.name!r}; switch one of them off")
        if handler.name in RESERVED:
            why = (
                f"a plugin registers a handler named {handler.name!r}, as wagate's own figures are; "
                "give its table in config.toml, or its Handler, another name"
            )
            if handler.name not in known:
                raise ConfigError(why)
            log.warning("figures are mixed up", handler=handler.name, reason=why)
        found[handler.name] = handler
    return found


def _import(name: str, available: Mapping[str, EntryPoint | PluginFile], file: Path) -> Any:
    point = available.get(name)
    if point is None:
        near = difflib.get_close_matches(name, available, n=1)
        install = f'install it (pip install wagate-{name}), or name its file: {KEY} = "{name}.py"'
        hint = f"did you mean [plugins.{near[0]}]?" if near else install
        raise ConfigError(f"{file}: [plugins.{name}]: no such plugin is installed; {hint}")
    try:
        return point.load()
    except ConfigError:
        raise
    except BaseException as error:
        pass_on(error)
        raise ConfigError(f"[plugins.{name}]: {point.value} can't be imported: {error!r}") from error


def _settings(
    manager: pluggy.PluginManager, name: str, table: Mapping[str, Any], convert: Convert
) -> msgspec.Struct | None:
    plugin = Plugin(name, None, manager)
    types = plugin.call("settings_type")
    if types and not (isinstance(types[0], type) and issubclass(types[0], msgspec.Struct)):
        raise broken(name, "settings_type", WrongValueError(f"{named(types[0])}, no struct type"))
    if types:
        try:
            return convert(types[0], table, f"plugins.{name}")
        except ConfigError:
            raise
        except BaseException as error:
            raise broken(name, "its settings", error) from error
    if table:
        raise ConfigError(f"[plugins.{name}] takes no settings, but has: {', '.join(table)}")
    return None
