"""The live directory: a snapshot of who is who, kept up to date with what anybody changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

import msgspec
import peewee
import structlog
import trio

from wagate.errors import WagateError
from wagate.storage.database import Database
from wagate.storage.fields import as_time, from_json
from wagate.storage.models import Client as ClientRow
from wagate.storage.models import Token
from wagate.storage.owners.directory import NOBODY, Account, Change, Client, Directory, changed
from wagate.storage.owners.revision import Changes, changes_since, revision
from wagate.storage.statement import placeholders, rows, slices

log = structlog.get_logger("wagate.accounts")

Listener = Callable[[], Awaitable[None]]
EndpointListener = Callable[[Collection[str] | None], Awaitable[None]]
AccountListener = Callable[[Mapping[str, Account | None]], Awaitable[None]]
Decrypt = Callable[[str], str]
Row = tuple[Any, ...]
Key = TypeVar("Key")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the snapshot of one revision was made of."""

    revision: int = -1
    rows: dict[str, Row] = {}
    """Of accounts, by id: only those that changed are decrypted again."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the tables came to."""

    known: Known
    change: Change
    directory: Directory
    endpoints: Collection[str] | None
    """Those that changed; None: nobody can say."""


class LiveDirectory:
    """Holds the snapshot of now. Whoever changes clients, tokens, accounts or endpoints calls `reload`."""

    def __init__(self, database: Database, decrypt: Decrypt) -> None:
        self._database = database
        self._decrypt = decrypt
        self._listeners: list[Listener] = []
        self._endpoint_listeners: list[EndpointListener] = []
        self._account_listeners: list[AccountListener] = []
        self._known = Known()
        self._untold: dict[str, Account | None] = {}
        """Accounts that changed, as they were before; their listeners have not heard of it."""
        self._reloading = trio.Lock()
        self.now = NOBODY

    def on_change(self, listener: Listener) -> None:
        """Have a function called after each reload."""
        self._listeners.append(listener)

    def on_endpoints(self, listener: EndpointListener) -> None:
        """Have a function called with the ids of endpoints that were changed; None: it may be all of them."""
        self._endpoint_listeners.append(listener)

    def on_accounts(self, listener: AccountListener) -> None:
        """Have a function called with the accounts that changed, by id, as they were before; None: it is new."""
        self._account_listeners.append(listener)

    async def reload(self) -> None:
        """Take up what changed since the last time, and tell the listeners."""
        async with self._reloading:  # What was read first must not be put in last.
            taken = await self._database.read(take_up, self._decrypt, self._known, self.now)
            for id_ in taken.change.accounts:
                self._untold.setdefault(id_, self.now.by_id.get(id_))
            self.now = taken.directory
            for take in self._endpoint_listeners if taken.endpoints is None or taken.endpoints else ():
                await take(taken.endpoints)
            self._known = taken.known  # Only now: what an endpoint listener could not read comes again.
        await self._tell_of_accounts()
        for listener in self._listeners:  # Not under the lock: a plugin's may lead to another reload.
            await listener()

    async def _tell_of_accounts(self) -> None:
        """Each listener, whatever becomes of the others; the next reload tells again what one could not take."""
        untold, self._untold = self._untold, {}
        taken = True
        try:
            for tell in self._account_listeners if untold else ():
                try:
                    await tell(untold)
                except WagateError as error:
                    taken = False
                    log.warning("changed accounts not taken up", accounts=sorted(untold), reason=str(error))
        except BaseException:
            taken = False
            raise
        finally:
            if not taken:
                self._untold = self._untold | untold  # as they were before the first change

    async def reload_if_changed(self) -> None:
        """Reload when another process changed something."""
        if await self._database.read(revision) != self._known.revision:
            await self.reload()


def take_up(db: peewee.Database, decrypt: Decrypt, known: Known, before: Directory) -> Taken:
    """What changed since ``known``, of which ``before`` is the snapshot."""
    now, named = changes_since(db, known.revision) if known.revision >= 0 else (revision(db), None)
    if named is None:
        change, rows_now = _compare_all(db, decrypt, known, before)
    else:
        change, rows_now = _look_at(db, decrypt, known, before, named)
    return Taken(
        known=Known(revision=now, rows=rows_now),
        change=change,
        directory=changed(before, change) if change != Change() else before,
        endpoints=None if named is None else named.get("webhook", set()),
    )


def load_directory(db: peewee.Database, decrypt: Decrypt) -> Directory:
    """The snapshot of now."""
    return take_up(db, decrypt, Known(), NOBODY).directory


def _compare_all(
    db: peewee.Database, decrypt: Decrypt, known: Known, before: Directory
) -> tuple[Change, dict[str, Row]]:
    clients = {row.id: Client(id=row.id, slug=row.slug, name=row.name) for row in ClientRow.select().execute(db)}
    tokens = dict(Token.select(Token.hash, Token.client_id).tuples().execute(db))
    found = {row[_ID]: tuple(row) for row in rows(db, f"{_SELECT} ORDER BY created_at, id")}
    accounts: dict[str, Account | None] = {
        id_: _account(row, clients, decrypt) for id_, row in found.items() if known.rows.get(id_) != row
    }
    change = Change(
        clients={**_gone(before.clients, clients), **clients},
        tokens={**_gone(before.tokens, tokens), **tokens},
        accounts={**_gone(before.by_id, found), **accounts},
    )
    return change, found


def _look_at(
    db: peewee.Database, decrypt: Decrypt, known: Known, before: Directory, named: Changes
) -> tuple[Change, dict[str, Row]]:
    """Those that are named, as they are now."""
    clients: dict[int, Client | None] = {int(each): None for each in named.get("client", ())}
    for row in ClientRow.select().where(ClientRow.id.in_([*clients])).execute(db) if clients else ():
        clients[row.id] = Client(id=row.id, slug=row.slug, name=row.name)
    tokens: dict[str, int | None] = dict.fromkeys(named.get("token", ()))
    if tokens:
        tokens |= dict(Token.select(Token.hash, Token.client_id).where(Token.hash.in_([*tokens])).tuples().execute(db))
    accounts: dict[str, Account | None] = dict.fromkeys(named.get("account", ()))
    if not accounts:
        return Change(clients=clients, tokens=tokens), known.rows
    rows_now = dict(known.rows)
    owners = {**before.clients, **{id_: client for id_, client in clients.items() if client is not None}}
    for part in slices(sorted(accounts)):
        for id_ in part:
            rows_now.pop(id_, None)
        for row in map(tuple, rows(db, f"{_SELECT} WHERE id IN ({placeholders(len(part))})", part)):
            rows_now[row[_ID]] = row
            same = known.rows.get(row[_ID]) == row and row[_ID] in before.by_id
            accounts[row[_ID]] = before.by_id[row[_ID]] if same else _account(row, owners, decrypt)
    return Change(clients=clients, tokens=tokens, accounts=accounts), rows_now


def _gone(before: Mapping[Key, Any], now: Collection[Key]) -> dict[Key, None]:
    return dict.fromkeys(before.keys() - now)


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
_ID = COLUMNS.index("id")
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM accounts"  # noqa: S608  (our words)


def _account(values: Row, clients: Mapping[int, Client], decrypt: Decrypt) -> Account:
    row = dict(zip(COLUMNS, values, strict=True))
    sealed, secret = row["settings"], row["webhook_secret"]
    opened = {
        "metadata": from_json(row["metadata"]) or {},
        "ignore": from_json(row["ignore"]) or {},
        "webhook_secret": decrypt(secret) if secret else "",
        "settings": msgspec.json.decode(decrypt(sealed)) if sealed else {},
        "created_at": as_time(row["created_at"]),
    }
    return Account(**row | opened, tenant=clients[row["client_id"]].slug)
