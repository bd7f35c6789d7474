"""Clients and accounts that the configuration names, put into the tables at start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.config import Config, convert_settings
from wagate.errors import ConfigError, NotFoundError
from wagate.storage.accounts import NewAccount, put_config_accounts
from wagate.storage.clients import add_client, ensure_default_client, get_client

PROVIDERS = ("engine", "session")
"""Providers that the core itself takes in."""


class AccountTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` as far as the core reads it."""

    client: str = "default"
    """The owner's slug; a client that is not there yet is made."""
    provider: str = "session"
    """How the number is reached."""
    phone: str = ""
    """Our number: digits, with or without ``+``."""
    webhook_secret: str = ""
    """What the provider's webhooks must carry."""
    metadata: dict[str, Any] = {}
    """Copied into webhooks."""
    ignore: dict[str, bool] = {}
    """``groups``, ``status``, ``broadcast``, ``channels``: kinds of chats not taken in."""


def read_accounts(config: Config) -> dict[str, AccountTable]:
    """The accounts of config.toml, typed. ConfigError names the key."""
    tables: dict[str, AccountTable] = {}
    for name, table in config.accounts.items():
        account = convert_settings(AccountTable, table, file=str(config.file), key=f"accounts.{name}")
        if account.provider not in PROVIDERS:
            known = ", ".join(PROVIDERS)
            raise ConfigError(
                f"{config.file}: accounts.{name}.provider: no provider {account.provider!r}; known: {known}"
            )
        tables[name] = account
    return tables


def put_owners(
    db: peewee.Database, accounts: dict[str, AccountTable], encrypt: Callable[[str], str], *, now: datetime
) -> None:
    """Make the client ``default``, the clients that accounts name, and the accounts."""
    ensure_default_client(db, now=now)
    put_config_accounts(
        db,
        [
            NewAccount(
                name=name,
                client_id=_client(db, table.client, now),
                provider=table.provider,
                phone="".join(filter(str.isdecimal, table.phone)),
                webhook_secret=encrypt(table.webhook_secret) if table.webhook_secret else "",
                metadata=table.metadata,
                ignore=dict(table.ignore),
            )
            for name, table in accounts.items()
        ],
        now=now,
    )


def _client(db: peewee.Database, slug: str, now: datetime) -> int:
    try:
        return get_client(db, slug).id
    except NotFoundError:
        return add_client(db, slug=slug, name=slug, now=now).id
