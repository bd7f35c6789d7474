"""The live directory: a snapshot of who is who, kept up to date with what anybody changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec
import peewee
import trio

from wagate.storage.database import Database
from wagate.storage.fields import from_json
from wagate.storage.models import Client as ClientRow
from wagate.storage.models import Token
from wagate.storage.owners.directory import Account, Client, Directory, build
from wagate.storage.owners.revision import Changes, changes_since, revision
from wagate.storage.statement import placeholders, rows, slices

Listener = Callable[[], Awaitable[None]]
EndpointListener = Callable[[Collection[str] | None], Awaitable[None]]
Decrypt = Callable[[str], str]
Row = tuple[Any, ...]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the snapshot of one revision was made of."""

    revision: int = -1
    clients: dict[int, Client] = {}
    tokens: dict[str, int] = {}
    """SHA-256 (hex) of a token → its client's id."""
    accounts: dict[str, tuple[Row, Account]] = {}
    """By id, oldest first, each with the row that it was made of: only those that changed are decrypted again."""


class LiveDirectory:
    """Holds the snapshot of now. Whoever changes clients, tokens, accounts or endpoints calls `reload`."""

    def __init__(self, database: Database, decrypt: Decrypt) -> None:
        self._database = database
        self._decrypt = decrypt
        self._listeners: list[Listener] = []
        self._endpoint_listeners: list[EndpointListener] = []
        self._known = Known()
        self._reloading = trio.Lock()
        self.now = build([], {}, [])

    def on_change(self, listener: Listener) -> None:
        """Have a function called after each reload."""
        self._listeners.append(listener)

    def on_endpoints(self, listener: EndpointListener) -> None:
        """Have a function called with the ids of endpoints that were changed; None: it may be all of them."""
        self._endpoint_listeners.append(listener)

    async def reload(self) -> None:
        """Take up what changed since the last time, and tell the listeners."""
        async with self._reloading:  # What was read first must not be put in last.
            known, directory, endpoints = await self._database.read(take_up, self._decrypt, self._known, self.now)
            self.now = directory
            for take in self._endpoint_listeners if endpoints is None or endpoints else ():
                await take(endpoints)
            self._known = known  # Only now: what an endpoint listener could not read comes again.
        for listener in self._listeners:  # Not under the lock: a plugin's may lead to another reload.
            await listener()

    async def reload_if_changed(self) -> None:
        """Reload when another process changed something."""
        if await self._database.read(revision) != self._known.revision:
            await self.reload()


def take_up(
    db: peewee.Database, decrypt: Decrypt, known: Known, before: Directory
) -> tuple[Known, Directory, Collection[str] | None]:
    """What is known now, its snapshot, and the endpoints that changed (None: nobody can say)."""
    now, changed = changes_since(db, known.revision) if known.revision >= 0 else (revision(db), None)
    endpoints = None if changed is None else changed.get("webhook", set())
    if changed is not None and not changed.keys() - {"webhook"}:
        return msgspec.structs.replace(known, revision=now), before, endpoints
    fresh = _load_all(db, decrypt, known) if changed is None else _load(db, decrypt, known, changed)
    directory = build([*fresh.clients.values()], fresh.tokens, [account for _, account in fresh.accounts.values()])
    return msgspec.structs.replace(fresh, revision=now), directory, endpoints


def load_directory(db: peewee.Database, decrypt: Decrypt) -> Directory:
    """The snapshot of now."""
    _, directory, _ = take_up(db, decrypt, Known(), build([], {}, []))
    return directory


def _load_all(db: peewee.Database, decrypt: Decrypt, known: Known) -> Known:
    clients = {row.id: Client(id=row.id, slug=row.slug, name=row.name) for row in ClientRow.select().execute(db)}
    tokens = dict(Token.select(Token.hash, Token.client_id).tuples().execute(db))
    found = rows(db, f"SELECT {', '.join(COLUMNS)} FROM accounts ORDER BY created_at, id")  # noqa: S608  (our words)
    return Known(clients=clients, tokens=tokens, accounts=_accounts(found, clients, decrypt, known))


def _load(db: peewee.Database, decrypt: Decrypt, known: Known, changed: Changes) -> Known:
    """What is named in ``changed`` as it is now, the rest as it is known."""
    ids = [int(each) for each in changed.get("client", ())]
    query = ClientRow.select().where(ClientRow.id.in_(ids))
    clients = {id_: client for id_, client in known.clients.items() if id_ not in ids} | {
        row.id: Client(id=row.id, slug=row.slug, name=row.name) for row in query.execute(db)
    }
    hashes = changed.get("token", set())
    kept = {digest: client for digest, client in known.tokens.items() if digest not in hashes}
    tokens = Token.select(Token.hash, Token.client_id).where(Token.hash.in_(sorted(hashes)))
    named = changed.get("account", set())
    found: list[Row] = []
    for part in slices(sorted(named)):
        text = f"SELECT {', '.join(COLUMNS)} FROM accounts WHERE id IN ({placeholders(len(part))})"  # noqa: S608
        found += rows(db, text, part)
    accounts = dict(known.accounts)
    for gone in named - {row[_ID] for row in found}:
        accounts.pop(gone, None)
    made = _accounts(found, clients, decrypt, known)
    accounts |= made  # who is there keeps its place
    if made.keys() - known.accounts.keys():
        accounts = dict(sorted(accounts.items(), key=lambda each: (each[1][0][_CREATED_AT], each[0])))
    return Known(clients=clients, tokens=kept | dict(tokens.tuples().execute(db)), accounts=accounts)


def _accounts(
    found: list[Row], clients: Mapping[int, Client], decrypt: Decrypt, known: Known
) -> dict[str, tuple[Row, Account]]:
    made = {}
    for row in map(tuple, found):
        before = known.accounts.get(row[_ID])
        same = before is not None and before[0] == row
        made[row[_ID]] = before if before is not None and same else (row, _account(row, clients, decrypt))
    return made


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
    "created_at",
)
_ID, _CREATED_AT = COLUMNS.index("id"), COLUMNS.index("created_at")


def _account(values: Row, clients: Mapping[int, Client], decrypt: Decrypt) -> Account:
    row = dict(zip(COLUMNS, values, strict=True))
    del row["created_at"]
    sealed, secret = row["settings"], row["webhook_secret"]
    opened = {
        "metadata": from_json(row["metadata"]) or {},
        "ignore": from_json(row["ignore"]) or {},
        "webhook_secret": decrypt(secret) if secret else "",
        "settings": msgspec.json.decode(decrypt(sealed)) if sealed else {},
    }
    return Account(**row | opened, tenant=clients[row["client_id"]].slug)
