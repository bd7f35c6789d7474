"""The accounts of this data folder with their settings, as their providers see them."""

from __future__ import annotations

from functools import partial

import trio

from wagate.cli.doctor_offline import convert, no_logs, stored_accounts, together
from wagate.cli.inert import inert_context
from wagate.config import Config
from wagate.hooks.providers import ProviderAccount
from wagate.plugins.loader import load_plugins, load_providers
from wagate.plugins.registry import Providers
from wagate.process.configured_accounts import read_accounts


def find_account(config: Config, name: str) -> tuple[str, ProviderAccount] | None:
    """An account of the configuration or the database: its provider and itself; None when there is none.

    Raises ConfigError, CommandError, UnprocessableError: it can't be read, or can't be used.
    """
    with no_logs():
        return trio.run(_find, config, name)


async def _find(config: Config, name: str) -> tuple[str, ProviderAccount] | None:
    providers = Providers(public_url=config.server.public_url)
    plugins = load_plugins(config.plugins, partial(convert, config), file=config.file)
    load_providers(plugins, partial(inert_context, config), providers)
    configured = read_accounts(config, providers)
    async with stored_accounts(config) as (_, stored):
        for each in together(configured, stored):
            if each.name == name:
                return each.provider, providers.account(each)
    return None
