"""The live directory: a snapshot of who is who, loaded again whenever anybody changed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import peewee

from wagate.storage.database import Database
from wagate.storage.fields import from_json
from wagate.storage.models import Client as ClientRow
from wagate.storage.models import Token
from wagate.storage.owners.directory import Account, Client, Directory, build
from wagate.storage.owners.revision import revision
from wagate.storage.statement import rows

Listener = Callable[[], Awaitable[None]]
Decrypt = Callable[[str], str]
Known = dict[str, tuple[tuple[Any, ...], Account]]
"""Accounts by id, each with the row that it was made of."""


class LiveDirectory:
    """Holds the snapshot of now. Whoever changes clients, tokens, accounts or endpoints calls `reload`."""

    def __init__(self, database: Database, decrypt: Decrypt) -> None:
        self._database = database
        self._decrypt = decrypt
        self._listeners: list[Listener] = []
        self._revision = -1
        self._known: Known = {}
        self.now = build([], {}, [])

    def on_change(self, listener: Listener) -> None:
        """Have a function called after each reload."""
        self._listeners.append(listener)

    async def reload(self) -> None:
        """Load the snapshot again and tell the listeners."""
        known = dict(self._known)  # a thread changes it
        self._revision, self.now = await self._database.read(load_directory, self._decrypt, known)
        self._known = known
        for listener in self._listeners:
            await listener()

    async def reload_if_changed(self) -> None:
        """Reload when another process changed something."""
        if await self._database.read(revision) != self._revision:
            await self.reload()


def load_directory(db: peewee.Database, decrypt: Decrypt, known: Known | None = None) -> tuple[int, Directory]:
    """The snapshot and the revision that it is of.

    ``known``: accounts by id, each with the row that it was made of; those that changed since are put in, so that only
    they are decrypted.
    """
    clients = [Client(id=row.id, slug=row.slug, name=row.name) for row in ClientRow.select().execute(db)]
    slugs = {client.id: client.slug for client in clients}
    tokens = dict(Token.select(Token.hash, Token.client_id).tuples().execute(db))
    known = {} if known is None else known
    text = f"SELECT {', '.join(COLUMNS)} FROM accounts ORDER BY created_at, id"  # noqa: S608  (our words)
    found = [(tuple(row), _kept(tuple(row), slugs, decrypt, known)) for row in rows(db, text)]
    known.clear()
    known.update({account.id: (row, account) for row, account in found})
    return revision(db), build(clients, tokens, [account for _, account in found])


def _kept(row: tuple[Any, ...], slugs: Mapping[int, str], decrypt: Decrypt, known: Known) -> Account:
    before = known.get(row[0])
    if before is not None and before[0] == row:
        return before[1]
    return _account(dict(zip(COLUMNS, row, strict=True)), slugs, decrypt)


COLUMNS = (
    "id",
    "name",
    "client_id",
    "provider",
    "phone",
    "metadata",
    "ignore",
    "webhook_secret",
    "source",
    "settings",
    "weight",
    "position",
)


def _account(row: dict[str, Any], slugs: Mapping[int, str], decrypt: Decrypt) -> Account:
    sealed, secret = row["settings"], row["webhook_secret"]
    opened = {
        "metadata": from_json(row["metadata"]) or {},
        "ignore": from_json(row["ignore"]) or {},
        "webhook_secret": decrypt(secret) if secret else "",
        "settings": msgspec.json.decode(decrypt(sealed)) if sealed else {},
    }
    return Account(**row | opened, tenant=slugs[row["client_id"]])
