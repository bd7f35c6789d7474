"""Everything that is stored encrypted goes over to the first key, so that the older ones can be dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peewee

from wagate.errors import ConfigError
from wagate.storage.fields import from_json
from wagate.storage.models import Account, PluginRecord, Webhook
from wagate.storage.statement import for_update, rows

Rotate = Callable[[str], str]
"""A token → the same under the first key; itself when it is already. Raises ConfigError for what is no token."""
BEGINNING = "gAAAA"
"""Of every Fernet token: version 0x80 and the first bytes of a time before 2106."""
_COLUMNS = (
    (Account, Account.settings),
    (Account, Account.webhook_secret),
    (Webhook, Webhook.secrets),
)


def reencrypt(db: peewee.Database, rotate: Rotate) -> int:
    """Encrypt anew what is not yet under the first key; how many values. ConfigError: one can't be decrypted.

    Answers kept for Idempotency-Keys are left: they are gone after a day.
    """
    changed = 0
    for table, column in _COLUMNS:
        held = table.select(table.id, column).where(column.startswith(BEGINNING)).tuples().execute(db)
        for key, old in list(held):
            new = rotate(old)
            if new != old:
                # Another process may have changed it by now.
                changed += table.update({column: new}).where(table.id == key, column == old).execute(db)
    return changed + _reencrypt_options(db, rotate) + _reencrypt_records(db, rotate)


def _reencrypt_options(db: peewee.Database, rotate: Rotate) -> int:
    """What connectors keep of their endpoints."""
    changed = 0
    query = "SELECT id, options FROM webhooks" + for_update(db, lock=True)  # noqa: S608  (text of our own)
    for key, text in rows(db, query):
        old = from_json(text)
        new = _rotated(old, rotate)
        if new != old:
            changed += Webhook.update(options=new).where(Webhook.id == key).execute(db)
    return changed


def _reencrypt_records(db: peewee.Database, rotate: Rotate) -> int:
    """What plugins keep: tokens stand anywhere in their values."""
    table, changed = PluginRecord, 0
    for plugin, key, value in list(table.select(table.plugin, table.key, table.value).tuples().execute(db)):
        new = _rotated(value, rotate)
        if new != value:
            changed += table.update(value=new).where(table.plugin == plugin, table.key == key).execute(db)
    return changed


def _rotated(value: Any, rotate: Rotate) -> Any:
    match value:
        case dict():
            return {name: _rotated(item, rotate) for name, item in value.items()}
        case list():
            return [_rotated(item, rotate) for item in value]
        case str() if value.startswith(BEGINNING):
            try:
                return rotate(value)
            except ConfigError:  # text that only looks like a token
                return value
    return value
