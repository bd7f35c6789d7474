"""Clients and their tokens, and when those were last used."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee
from uuid_utils import uuid7

from wagate.clock import Clock
from wagate.errors import ConflictError, NotFoundError, StorageError
from wagate.storage.database import Database, apart
from wagate.storage.deliveries.by_hand import cancel_open
from wagate.storage.models import Account, Client, Delivery, Token, Webhook
from wagate.storage.owners.revision import Kind, bump
from wagate.storage.rows import ClientRow, TokenRow
from wagate.storage.statement import first, run

DEFAULT = "default"
"""Slug of the client that exists from the first start."""


def add_client(db: peewee.Database, *, slug: str, name: str, now: datetime) -> ClientRow:
    """Add one. ConflictError: the slug is taken."""
    values = {"slug": slug, "name": name, "created_at": now, "updated_at": now}
    try:
        Client.insert(**values).execute(db)
    except peewee.IntegrityError as error:
        raise ConflictError(f"a client {slug!r} exists", field="slug") from error
    client = get_client(db, slug)
    bump(db, "client", str(client.id))
    return client


def ensure_default_client(db: peewee.Database, *, now: datetime) -> ClientRow:
    """The client ``default``, added when missing."""
    values = {"slug": DEFAULT, "name": "Default", "created_at": now, "updated_at": now}
    if Client.insert(**values).on_conflict_ignore().as_rowcount().execute(db):
        bump(db)
    return get_client(db, DEFAULT)


def list_clients(db: peewee.Database) -> list[ClientRow]:
    """All, oldest first."""
    return [ClientRow(**row) for row in Client.select().order_by(Client.id).dicts().execute(db)]


def get_client(db: peewee.Database, slug: str) -> ClientRow:
    """One by slug. NotFoundError."""
    row = first(db, Client.select().where(Client.slug == slug))
    if row is None:
        raise NotFoundError(f"no client {slug[:100]!r}")
    return ClientRow(**row)


def rename_client(db: peewee.Database, slug: str, *, name: str, now: datetime) -> ClientRow:
    """Change what can be changed. NotFoundError."""
    Client.update(name=name, updated_at=now).where(Client.slug == slug).execute(db)
    client = get_client(db, slug)
    bump(db, "client", str(client.id))
    return client


def delete_client(db: peewee.Database, slug: str, *, now: datetime) -> None:
    """Delete a client with its tokens, accounts and webhooks, and cancel what waits. Events stay until retention.

    Raises:
        NotFoundError: no such client.
        ConflictError: it is the client ``default``.
    """
    client = get_client(db, slug)
    if slug == DEFAULT:
        raise ConflictError("the client 'default' can't be deleted")
    cancel_open(db, Delivery.client_id == client.id, reason="client deleted", now=now)
    run(db, "DELETE FROM later WHERE event_id IN (SELECT id FROM events WHERE client_id = ?)", (client.id,))
    owned: dict[Kind, list[str]] = {
        "token": _ids(db, Token.select(Token.hash).where(Token.client_id == client.id)),
        "account": _ids(db, Account.select(Account.id).where(Account.client_id == client.id)),
        "webhook": _ids(db, Webhook.select(Webhook.id).where(Webhook.client_id == client.id)),
    }
    Client.delete().where(Client.id == client.id).execute(db)  # and with it what is owned
    bump(db, "client", str(client.id))
    for kind, ids in owned.items():
        if ids:
            bump(db, kind, *ids)


def _ids(db: peewee.Database, query: Any) -> list[str]:
    return [each for (each,) in query.tuples().execute(db)]


def add_token(
    db: peewee.Database, *, client_id: int, digest: str, name: str, now: datetime, most: int | None = None
) -> TokenRow:
    """Store a token's SHA-256 (hex). ConflictError: the client has ``most`` of them already."""
    if most is not None and Token.select().where(Token.client_id == client_id).count(db) >= most:
        raise ConflictError(f"the client has {most} tokens, its limit (limits.tokens); revoke one")
    row = TokenRow(id=str(uuid7()), client_id=client_id, hash=digest, name=name, created_at=now, last_used_at=None)
    values = {"id": row.id, "client_id": client_id, "hash": digest, "name": name, "created_at": now}
    Token.insert(**values).execute(db)
    bump(db, "token", digest)
    return row


def list_tokens(db: peewee.Database, client_id: int | None, *, most: int | None = None) -> list[TokenRow]:
    """A client's tokens, oldest first; None: everybody's. ``most``: only the newest so many."""
    query = Token.select().order_by(Token.id.desc()).limit(most)
    if client_id is not None:
        query = query.where(Token.client_id == client_id)
    return [TokenRow(**row) for row in query.dicts().execute(db)][::-1]


def find_token(db: peewee.Database, token_id: str) -> TokenRow:
    """Anybody's. NotFoundError."""
    row = first(db, Token.select().where(Token.id == token_id))
    if row is None:
        raise NotFoundError("no such token; a revoked one is gone for good: make another")
    return TokenRow(**row)


@apart
def touch_tokens(db: peewee.Database, used: dict[str, datetime]) -> None:
    """Write when tokens (by hash) were last used."""
    for digest, moment in sorted(used.items()):
        Token.update(last_used_at=moment).where(Token.hash == digest).execute(db)


def revoke_token(db: peewee.Database, *, client_id: int, token_id: str) -> None:
    """Delete a client's token. NotFoundError."""
    token = first(db, Token.select(Token.hash).where(Token.id == token_id, Token.client_id == client_id))
    if token is None:
        raise NotFoundError("no such token")
    Token.delete().where(Token.id == token_id).execute(db)
    bump(db, "token", token["hash"])


class TokenUses:
    """`note` costs a request next to nothing; `write` brings what was noted to the database, in one commit."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[str, datetime] = {}

    def note(self, digest: str) -> None:
        """The token with this SHA-256 (hex) was used just now."""
        self._noted[digest] = self._clock.now()

    async def write(self) -> None:
        """Write what was noted since the last time. StorageError: it is kept for the next time."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await self._database.write(touch_tokens, noted)
        except StorageError:
            self._noted = noted | self._noted
            raise
