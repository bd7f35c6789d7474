"""The live directory: a snapshot of who is who, loaded again whenever anybody changed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import peewee

from wagate.storage.database import Database
from wagate.storage.models import Account as AccountRow
from wagate.storage.models import Client as ClientRow
from wagate.storage.models import Token
from wagate.storage.owners.directory import Account, Client, Directory, build
from wagate.storage.owners.revision import revision

Listener = Callable[[], Awaitable[None]]
Decrypt = Callable[[str], str]


class LiveDirectory:
    """Holds the snapshot of now. Whoever changes clients, tokens, accounts or endpoints calls `reload`."""

    def __init__(self, database: Database, decrypt: Decrypt) -> None:
        self._database = database
        self._decrypt = decrypt
        self._listeners: list[Listener] = []
        self._revision = -1
        self.now = build([], {}, [])

    def on_change(self, listener: Listener) -> None:
        """Have a function called after each reload."""
        self._listeners.append(listener)

    async def reload(self) -> None:
        """Load the snapshot again and tell the listeners."""
        self._revision, self.now = await self._database.read(load_directory, self._decrypt)
        for listener in self._listeners:
            await listener()

    async def reload_if_changed(self) -> None:
        """Reload when another process changed something."""
        if await self._database.read(revision) != self._revision:
            await self.reload()


def load_directory(db: peewee.Database, decrypt: Decrypt) -> tuple[int, Directory]:
    """The snapshot and the revision that it is of."""
    clients = [Client(id=row.id, slug=row.slug, name=row.name) for row in ClientRow.select().execute(db)]
    slugs = {client.id: client.slug for client in clients}
    tokens = dict(Token.select(Token.hash, Token.client_id).tuples().execute(db))
    ordered = AccountRow.select().order_by(AccountRow.created_at, AccountRow.id).execute(db)
    accounts = [_account(row, slugs[row.client_id], decrypt) for row in ordered]
    return revision(db), build(clients, tokens, accounts)


def _account(row: AccountRow, tenant: str, decrypt: Decrypt) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        client_id=row.client_id,
        tenant=tenant,
        provider=row.provider,
        phone=row.phone,
        metadata=row.metadata or {},
        ignore=row.ignore or {},
        webhook_secret=decrypt(row.webhook_secret) if row.webhook_secret else "",
        source=row.source,
        settings=msgspec.json.decode(decrypt(row.settings)) if row.settings else {},
        weight=row.weight,
        position=row.position,
    )
