"""Stored secrets that none of our keys decrypts: found at the start, and given up when their key is lost for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from wagate.errors import ConfigError
from wagate.storage.fields import from_json
from wagate.storage.models import Account, Webhook
from wagate.storage.owners.revision import bump
from wagate.storage.statement import rows
from wagate.storage.upkeep.reencrypt import BEGINNING

Decrypt = Callable[[str], str]
"""Raises ConfigError for what is under none of our keys."""
ALL = 2**31
"""Rows: no limit."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One that holds something encrypted."""

    id: str
    name: str
    """For people."""
    readable: bool


def sealed_accounts(db: peewee.Database, decrypt: Decrypt, *, most: int = ALL) -> list[Row]:
    """Accounts made by API, newest first. Those of config.toml are encrypted anew at each start."""
    text = (
        "SELECT id, name, settings, webhook_secret FROM accounts WHERE source = 'api' "
        "AND (settings <> '' OR webhook_secret <> '') ORDER BY id DESC LIMIT ?"
    )
    return [
        Row(id=id_, name=name, readable=_readable(values, decrypt)) for id_, name, *values in rows(db, text, (most,))
    ]


def sealed_endpoints(db: peewee.Database, decrypt: Decrypt, *, most: int = ALL) -> list[Row]:
    """Endpoints of all connectors, newest first: their secrets and what is encrypted in their options."""
    text = "SELECT id, name, webhook_url, secrets, options FROM webhooks WHERE secrets <> '' ORDER BY id DESC LIMIT ?"
    return [
        Row(id=id_, name=name or url.partition("?")[0], readable=_readable([secrets, *_sealed(options)], decrypt))
        for id_, name, url, secrets, options in rows(db, text, (most,))
    ]


def renew_account(db: peewee.Database, row: Row, decrypt: Decrypt, webhook_secret: str, *, now: datetime) -> bool:
    """Give it this webhook secret, encrypted; whether its settings are gone, as they can't be read."""
    ((settings,),) = rows(db, "SELECT settings FROM accounts WHERE id = ?", (row.id,))
    kept = settings if _readable([settings], decrypt) else ""
    change = Account.update(settings=kept, webhook_secret=webhook_secret, updated_at=now)
    change.where(Account.id == row.id).execute(db)
    bump(db, "account", row.id)
    return bool(settings != kept)


def renew_endpoint(db: peewee.Database, row: Row, decrypt: Decrypt, secrets: str, *, now: datetime) -> Sequence[str]:
    """Give it these secrets, encrypted; the names of options that are gone, as they can't be read."""
    ((text,),) = rows(db, "SELECT options FROM webhooks WHERE id = ?", (row.id,))
    options: dict[str, Any] = from_json(text) or {}
    gone = [name for name, value in options.items() if not _readable([*_tokens(value)], decrypt)]
    kept = {name: value for name, value in options.items() if name not in gone}
    Webhook.update(secrets=secrets, options=kept, updated_at=now).where(Webhook.id == row.id).execute(db)
    bump(db, "webhook", row.id)
    return gone


def _sealed(options: str) -> Iterator[str]:
    for value in (from_json(options) or {}).values():
        yield from _tokens(value)


def _tokens(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(BEGINNING):
        yield value


def _readable(values: Sequence[str], decrypt: Decrypt) -> bool:
    try:
        for each in filter(None, values):
            decrypt(each)
    except ConfigError:
        return False
    return True
