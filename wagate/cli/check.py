"""``wagate check``: is the configuration right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wagate.cli import options as call
from wagate.cli.errors import CommandError


def check(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file; default: ./config.toml.")] = None,
) -> None:
    """Check the configuration and the plugins it turns on. Every hook is called; nothing is started."""
    from wagate.cli.rehearse import faults, inert_context
    from wagate.config import convert_settings, load
    from wagate.config.check import SHORTEST_SECRET
    from wagate.hooks.ending import old_uses
    from wagate.plugins.account_settings import short_secrets
    from wagate.plugins.loader import load_plugins, load_providers
    from wagate.plugins.registry import Providers
    from wagate.process.configured_accounts import read_accounts

    loaded = load(config) if config else call.of(context).config
    with old_uses(lambda use: typer.echo(f"warning: {use}", err=True)):
        plugins = load_plugins(
            loaded.plugins,
            lambda kind, table, key: convert_settings(kind, table, file=loaded.file, key=key),
            file=loaded.file,
        )
        providers = Providers(public_url=loaded.server.public_url)
        load_providers(plugins, lambda plugin: inert_context(loaded, plugin), providers)
        wrong = [line for plugin in plugins for line in faults(plugin, inert_context(loaded, plugin))]
    accounts = read_accounts(loaded, providers)
    for name, account in accounts.items():
        for secret in short_secrets(providers.need(account.table.provider), account.settings):
            typer.echo(f"warning: accounts.{name}.{secret} has fewer than {SHORTEST_SECRET} characters", err=True)
    if wrong:
        raise CommandError("\n".join(wrong))
    names = ", ".join(plugin.name for plugin in plugins) or "none"
    there = "" if loaded.file.exists() else " (no file: all defaults)"
    typer.echo(f"{loaded.file}{there} is valid; plugins: {names}; accounts: {', '.join(loaded.accounts) or 'none'}")
