"""Clients and accounts that the configuration names, put into the tables at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
import peewee

from wagate.config import Config, convert_settings
from wagate.config.check import SHORTEST_SECRET
from wagate.config.problems import near
from wagate.errors import ConfigError, NotFoundError, UnprocessableError
from wagate.hooks.providers import Provider
from wagate.plugins.account_settings import check_sender, seal, storable
from wagate.plugins.registry import Providers
from wagate.storage.owners.accounts import NewAccount, put_config_accounts
from wagate.storage.owners.clients import add_client, ensure_default_client, get_client


class AccountTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` as far as the core reads it; the rest is the provider's own."""

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
    weight: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1
    """Its share of its client's messages that name no account; 0: only those of its own chats."""
    position: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """Its place in its client's order of fail-over, the lowest first."""


class ConfiguredAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account of config.toml."""

    table: AccountTable
    settings: Mapping[str, Any]
    """The provider's own keys, checked, in JSON's types."""

    def __repr__(self) -> str:
        return f"ConfiguredAccount(provider={self.table.provider!r})"


def read_accounts(config: Config, providers: Providers) -> dict[str, ConfiguredAccount]:
    """The accounts of config.toml, typed by their providers. ConfigError: one line for each that is wrong."""
    accounts: dict[str, ConfiguredAccount] = {}
    faults: list[str] = []
    for name, table in config.accounts.items():
        try:
            accounts[name] = _read(str(config.file), f"accounts.{name}", table, providers)
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return accounts


def _read(file: str, key: str, table: Mapping[str, Any], providers: Providers) -> ConfiguredAccount:
    provider = _provider(file, key, table, providers)
    ours = {field.encode_name for field in msgspec.structs.fields(AccountTable)}
    theirs = {field.encode_name for field in msgspec.structs.fields(provider.settings_type)}
    for name in table:
        if name not in ours | theirs and (close := near(name, ours | theirs)):
            raise ConfigError(f"{file}: {key}.{name}: unknown key; did you mean {key}.{close}?")
    core = {name: value for name, value in table.items() if name in ours}
    own = {name: value for name, value in table.items() if name not in ours}
    account = convert_settings(AccountTable, core, file=file, key=key)
    if 0 < len(account.webhook_secret) < SHORTEST_SECRET:
        raise ConfigError(f"{file}: {key}.webhook_secret: is too short; use at least {SHORTEST_SECRET} characters")
    settings = storable(convert_settings(provider.settings_type, own, file=file, key=key))
    try:
        check_sender(provider, settings, account.phone, where="")
    except UnprocessableError as error:
        raise ConfigError(f"{file}: {key}.{provider.sender_keys[0]}: {error}") from error
    return ConfiguredAccount(table=account, settings=settings)


def _provider(file: str, key: str, table: Mapping[str, Any], providers: Providers) -> Provider:
    name = table.get("provider", AccountTable().provider)
    try:
        return providers.need(str(name))
    except UnprocessableError as error:
        raise ConfigError(f"{file}: {key}.provider: {error}") from error


def put_owners(
    db: peewee.Database, accounts: Mapping[str, ConfiguredAccount], encrypt: Callable[[str], str], *, now: datetime
) -> None:
    """Make the client ``default``, the clients that accounts name, and the accounts."""
    ensure_default_client(db, now=now)
    put_config_accounts(
        db,
        [
            NewAccount(
                name=name,
                client_id=_client(db, account.table.client, now),
                provider=account.table.provider,
                phone="".join(filter(str.isdecimal, account.table.phone)),
                settings=seal(account.settings, encrypt),
                webhook_secret=encrypt(account.table.webhook_secret) if account.table.webhook_secret else "",
                metadata=account.table.metadata,
                ignore=dict(account.table.ignore),
                weight=account.table.weight,
                position=account.table.position,
            )
            for name, account in accounts.items()
        ],
        now=now,
    )


def _client(db: peewee.Database, slug: str, now: datetime) -> int:
    try:
        return get_client(db, slug).id
    except NotFoundError:
        return add_client(db, slug=slug, name=slug, now=now).id
