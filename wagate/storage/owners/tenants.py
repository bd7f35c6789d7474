"""The accounts that a tenant's settings are: ``<tenant>``, ``<tenant>-2`` …, in the order of fail-over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import peewee

from wagate.errors import ConflictError
from wagate.storage.models import Account
from wagate.storage.owners.accounts import (
    AccountChange,
    NewAccount,
    create_account,
    delete_account,
    list_accounts,
    patch_account,
)
from wagate.storage.rows import AccountRow

MOST = 20
"""Providers that one tenant's settings may list."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of a tenant."""

    provider: str
    settings: str
    """Encrypted by the caller; '' when none."""
    phone: str | msgspec.UnsetType = msgspec.UNSET
    """Digits; UNSET leaves it."""
    weight: int = 1
    webhook_secret: str = ""
    """Encrypted by the caller; for the account when it is new."""


def account_name(tenant: str, place: int) -> str:
    """The name of the n-th account, from 0: ``acme``, ``acme-2``, ``acme-3``."""
    return tenant if place == 0 else f"{tenant}-{place + 1}"


def tenant_accounts(db: peewee.Database, client_id: int, tenant: str) -> list[AccountRow]:
    """The tenant's accounts that its settings are about, in order."""
    named = {account_name(tenant, place): place for place in range(MOST)}
    rows = [row for row in list_accounts(db, client_id=client_id) if row.name in named]
    return sorted(rows, key=lambda row: named[row.name])


def put_tenant_accounts(
    db: peewee.Database, client_id: int, tenant: str, wanted: Sequence[Wanted], *, now: datetime, most: int
) -> list[str]:
    """Make the tenant's accounts what is wanted; the names of those that are new.

    Raises:
        ConflictError: one of the names is config.toml's or another client's, or the client would have more than
            ``most`` accounts. Nothing is changed.
    """
    known = {row.name: row for row in tenant_accounts(db, client_id, tenant)}
    made = []
    for place, each in enumerate(wanted):
        name = account_name(tenant, place)
        if name in known:
            _change(db, name, each, place, now)
            continue
        _refuse_taken(db, name)
        new = NewAccount(
            name=name,
            client_id=client_id,
            provider=each.provider,
            phone="" if each.phone is msgspec.UNSET else each.phone,
            settings=each.settings,
            webhook_secret=each.webhook_secret,
            weight=each.weight,
            position=place,
        )
        create_account(db, new, now=now, most=most)
        made.append(name)
    wanted_names = {account_name(tenant, place) for place in range(len(wanted))}
    for name in known.keys() - wanted_names:
        delete_account(db, name, client_id=client_id)
    return made


def _change(db: peewee.Database, name: str, wanted: Wanted, place: int, now: datetime) -> None:
    change = AccountChange(
        provider=wanted.provider,
        settings=wanted.settings,
        phone=wanted.phone,
        weight=wanted.weight,
        position=place,
    )
    patch_account(db, name, change, now=now)


def _refuse_taken(db: peewee.Database, name: str) -> None:
    if Account.select().where(Account.name == name).exists(db):
        raise ConflictError(f"an account {name!r} is in use elsewhere", field="tenant_id")
