"""What ``wagate doctor`` does when no gateway runs: the same looks, with what is there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import msgspec
import structlog
import trio

from wagate.cli.errors import CommandError
from wagate.cli.rehearse import inert_context
from wagate.clock import Clock
from wagate.config import Config, convert_settings
from wagate.config.secrets import KEY_FILE, open_secrets
from wagate.config.vault import Vault
from wagate.errors import WagateError
from wagate.hooks.providers import Provider, ProviderAccount
from wagate.plugins.loader import load_plugins, load_providers, plugin_checks, with_secrets
from wagate.plugins.registry import Providers
from wagate.process.assemble import http_client
from wagate.process.configured_accounts import ConfiguredAccount, read_accounts
from wagate.process.doctor import Installation
from wagate.process.doctor import run_checks as look
from wagate.queue.cluster import open_redis
from wagate.storage.database import FILE, Database, open_database
from wagate.storage.owners.directory import Account
from wagate.storage.owners.live import load_directory
from wagate.web.api.doctor import DoctorLine

NOT_RUNNING = DoctorLine(
    level="warn",
    part="gateway",
    what="running",
    detail="no gateway is running on this data folder",
    next_step='start it with "wagate serve"',
)


def run_checks(config: Config) -> list[dict[str, Any]]:
    """The lines, as ``GET /api/doctor`` answers them. ConfigError: the configuration is wrong."""
    with no_logs():
        lines: list[dict[str, Any]] = msgspec.to_builtins([NOT_RUNNING, *trio.run(_run_checks, config)])
    return lines


@contextmanager
def no_logs() -> Iterator[None]:
    """What there is to tell stands in the lines; standard output is for them alone."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


async def _run_checks(config: Config) -> list[DoctorLine]:
    plugins = load_plugins(config.plugins, partial(convert, config), file=config.file)
    config = with_secrets(config, plugins)
    providers = Providers(public_url=config.server.public_url)
    load_providers(plugins, partial(inert_context, config), providers)
    configured = read_accounts(config, providers)
    lines: list[DoctorLine] = []
    async with AsyncExitStack() as stack:
        database, stored = None, list[Account]()
        try:
            database, stored = await stack.enter_async_context(stored_accounts(config))
        except WagateError as error:
            lines.append(DoctorLine(level="fail", part="database", what="open", detail=str(error)))
        redis = open_redis(config.redis.url) if config.redis.url else None
        if redis is not None:
            stack.push_async_callback(redis.close)
        contexts = {plugin.name: inert_context(config, plugin) for plugin in plugins}
        installation = Installation(
            config=config,
            clock=Clock(),
            http=http_client(config),
            providers=providers,
            database=database,
            redis=redis,
            accounts=list(together(configured, stored)),
            checks=plugin_checks(plugins, contexts),
        )
        lines += await look(installation)
    return lines


@asynccontextmanager
async def stored_accounts(config: Config) -> AsyncIterator[tuple[Database | None, list[Account]]]:
    """The database with its accounts, if there is one: nothing is made."""
    if not config.database.url and not (config.data.dir / FILE).exists():
        yield None, []
        return
    if not config.auth.secret_key and not (config.data.dir / KEY_FILE).exists():
        raise CommandError(f"{config.data.dir / KEY_FILE} is missing; without it the stored secrets can't be decrypted")
    async with open_database(config.database.url, config.data.dir, readers=1) as database:
        vault = Vault(open_secrets(config).secret_keys)
        directory = await database.read(load_directory, vault.decrypt)
        yield database, list(directory.accounts.values())


def together(configured: dict[str, ConfiguredAccount], stored: list[Account]) -> Iterator[Account]:
    """Those of the configuration as it is now, and those made by API."""
    for name, each in configured.items():
        yield Account(
            id="",
            name=name,
            client_id=0,
            tenant=each.table.client,
            provider=each.table.provider,
            phone=each.table.phone,
            metadata={},
            ignore={},
            webhook_secret=each.table.webhook_secret,
            source="config",
            settings=each.settings,
        )
    yield from (each for each in stored if each.name not in configured and each.source != "config")


def convert(config: Config, kind: type[msgspec.Struct], table: Any, key: str) -> msgspec.Struct:
    """A plugin's table as its settings. ConfigError."""
    return convert_settings(kind, table, file=str(config.file), key=key)


def find_account(config: Config, name: str) -> tuple[Provider, ProviderAccount] | None:
    """An account of the configuration or the database: its provider and itself; None when there is none.

    Raises ConfigError, CommandError, UnprocessableError: it can't be read, or can't be used.
    """
    with no_logs():
        return trio.run(_find, config, name)


async def _find(config: Config, name: str) -> tuple[Provider, ProviderAccount] | None:
    providers = Providers(public_url=config.server.public_url)
    plugins = load_plugins(config.plugins, partial(convert, config), file=config.file)
    load_providers(plugins, partial(inert_context, config), providers)
    configured = read_accounts(config, providers)
    async with stored_accounts(config) as (_, stored):
        for each in together(configured, stored):
            if each.name == name:
                return providers.need(each.provider), providers.account(each)
    return None
