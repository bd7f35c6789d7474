"""Take up a changed configuration while serving: accounts with their secrets, plugins' settings, the admin token."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog
import trio

from wagate.config import Config, convert_settings, load
from wagate.config.secrets import read_admin_token
from wagate.config.sources import named_variables
from wagate.errors import ConfigError, PluginError
from wagate.hooks.context import PluginContext
from wagate.plugins.loader import Plugin, load_plugins, with_secrets
from wagate.process.assemble import Gateway
from wagate.process.configured_accounts import ConfiguredAccount, put_owners, read_accounts
from wagate.process.logs import Hide
from wagate.web.api.reload import ReloadReport

log = structlog.get_logger("wagate.process.reload")

TOKEN = "auth.admin_token"  # noqa: S105  (a key's name)


class Reload:
    """What ``wagate reload`` and SIGHUP call."""

    def __init__(
        self, gateway: Gateway, plugins: Sequence[Plugin], contexts: Mapping[str, PluginContext], *, hide: Hide
    ) -> None:
        self._gateway = gateway
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._contexts = contexts
        self._hide = hide
        self._config = gateway.config
        self._named = gateway.config.file.exists()
        self._environment: dict[str, str] = {}
        self._lock = trio.Lock()
        self._new_token: Callable[[str], None] = lambda _token: None

    def on_new_token(self, take: Callable[[str], None]) -> None:
        """Have a function called with the admin token when it changes."""
        self._new_token = take

    async def __call__(self, environment: Mapping[str, str]) -> ReloadReport:
        """Check all, then take up what can be; nothing when anything is wrong.

        ``environment``: fresh values of variables that config.toml names as ``env:NAME``. Those that it does not name
        are left; those that are not given keep their values.

        Raises:
            ConfigError: one line for each fault; the old configuration goes on.
            StorageError: the accounts can't be written; the old ones go on.
        """
        async with self._lock:
            known, new, accounts, plugins = await trio.to_thread.run_sync(self._checked, environment)
            self._hide(new.secrets)
            changed = sorted(_changed(self._config, new))
            taking = self._taking(changed, plugins)
            taken = [key for key in changed if key == TOKEN or key.startswith("accounts.") or key in taking]
            if any(key.startswith("accounts.") for key in taken):
                gateway = self._gateway
                await gateway.database.write(put_owners, accounts, gateway.vault.encrypt, now=gateway.clock.now())
                await gateway.live.reload()
            for take in taking.values():
                take()
            if token := read_admin_token(new):
                self._new_token(token)
            self._environment = known
            auth = msgspec.structs.replace(self._config.auth, admin_token=new.auth.admin_token)
            tables = {
                name: new.plugins[name] if _key(name) in taking else table
                for name, table in self._config.plugins.items()
            }
            self._config = msgspec.structs.replace(self._config, accounts=new.accounts, auth=auth, plugins=tables)
            report = ReloadReport(taken_up=taken, restart=[key for key in changed if key not in taken])
            log.info("configuration reloaded", taken_up=report.taken_up, restart=report.restart)
            return report

    def _taking(self, changed: Sequence[str], plugins: Sequence[Plugin]) -> dict[str, Callable[[], None]]:
        """Changed key → what puts a plugin's new settings in force, where it can. ConfigError: one refuses them."""
        taking = {}
        for new in plugins:
            running, key = self._plugins.get(new.name), _key(new.name)
            if running is None or key not in changed:
                continue
            try:
                take = running.take_settings(self._contexts[new.name], new.settings)
            except PluginError as error:
                raise ConfigError(str(error)) from error
            if take is not None:
                taking[key] = take
        return taking

    def _checked(
        self, environment: Mapping[str, str]
    ) -> tuple[dict[str, str], Config, dict[str, ConfiguredAccount], list[Plugin]]:
        file = self._gateway.config.file if self._named else None
        names = named_variables(self._gateway.config.file)
        known = self._environment | {name: value for name, value in environment.items() if name in names}
        new = load(file, {**os.environ, **known}, without=self._gateway.config.without)
        plugins = load_plugins(new.plugins, partial(_convert, new), file=new.file)
        return known, with_secrets(new, plugins), read_accounts(new, self._gateway.providers), plugins


def _key(plugin: str) -> str:
    return f"plugins.{plugin}"


def _convert(config: Config, kind: type[msgspec.Struct], table: Mapping[str, Any], key: str) -> msgspec.Struct:
    return convert_settings(kind, table, file=str(config.file), key=key)


def _changed(old: Config, new: Config) -> Iterator[str]:
    """``server.port``, ``accounts.main``, ``plugins.webhook`` …: each key that differs."""
    before, after = _flat(old), _flat(new)
    for key in before.keys() | after.keys():
        if before.get(key) != after.get(key):
            yield key


def _flat(config: Config) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field in msgspec.structs.fields(config):
        table = getattr(config, field.name)
        inner = msgspec.structs.asdict(table) if isinstance(table, msgspec.Struct) else table
        if isinstance(inner, dict):
            flat |= {f"{field.name}.{name}": value for name, value in inner.items()}
    return flat
