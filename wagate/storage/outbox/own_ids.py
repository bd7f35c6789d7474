"""How messages of ours are found by the provider's ids, and kept for one transaction."""

from __future__ import annotations

from typing import Any

import peewee

from wagate.parsing.message_ids import is_unique
from wagate.storage.fields import clean
from wagate.storage.statement import rows


def lock_bare_id(db: peewee.Database, account_id: str, bare: str) -> None:
    """Keep out, until the commit, who else writes about this id of the provider.

    Without it, a status and the message's own "sent", committed by two processes at once, would not see each other.
    """
    if db.param != "?":
        rows(db, "SELECT pg_advisory_xact_lock(hashtextextended(?, 20250120))", (f"{account_id}\x1f{bare}",))


def of_bare_id(account_id: str, bare: str, chat: str) -> tuple[str, list[Any]]:
    """A condition, and its values, that the account's message with this id meets; a short id counts in its chat."""
    # In the words of the partial index: without them SQLite goes through all messages.
    about, values = "account_id = ? AND bare_id = ? AND bare_id <> ''", [account_id, clean(bare)]
    return (about, values) if is_unique(bare) or not chat else (f"{about} AND chat = ?", [*values, clean(chat)])
