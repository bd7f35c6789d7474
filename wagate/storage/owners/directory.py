"""Who is who, in memory: clients, tokens and accounts. A change makes a new snapshot that shares all it can."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from wagate.errors import NotFoundError

EARLY = datetime.min.replace(tzinfo=UTC)
"""When those were made of which nobody says so."""
Key = TypeVar("Key")


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """An owner of numbers, webhooks and jobs."""

    id: int
    """``client_id`` outside."""
    slug: str
    """``tenant_id`` outside."""
    name: str
    """For people."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One WhatsApp number reached through one provider."""

    id: str
    name: str
    """Unique over all clients."""
    client_id: int
    tenant: str
    """The owner's slug."""
    provider: str
    phone: str
    """Digits, '' when not known."""
    metadata: dict[str, Any]
    ignore: dict[str, Any]
    """Which kinds of chats are not taken in: groups, status, broadcast, channels."""
    webhook_secret: str
    """Decrypted; '' when it has none."""
    source: str
    """config or api."""
    settings: Mapping[str, Any] = {}
    """The provider's own keys, decrypted."""
    weight: int = 1
    """Its share of its client's messages that name no account; 0: none but those of its own chats."""
    position: int = 0
    """Its place in its client's order of fail-over."""
    created_at: datetime = EARLY

    def __repr__(self) -> str:
        return f"Account(name={self.name!r}, provider={self.provider!r})"


class Directory(msgspec.Struct, frozen=True):
    """A snapshot. Everything that the hot path asks about owners is answered here, without the database."""

    clients: Mapping[int, Client]
    by_slug: Mapping[str, Client]
    tokens: Mapping[str, int]
    """SHA-256 (hex) of a token → its client's id."""
    accounts: Mapping[str, Account]
    """By name."""
    by_id: Mapping[str, Account]
    """Accounts by id: for all that was stored of one, since its name may be another's by now."""
    by_client: Mapping[int, tuple[Account, ...]]
    """A client's accounts, oldest first."""
    by_phone: Mapping[tuple[int, str], tuple[Account, ...]]
    """By (client id, digits), oldest first."""

    def oldest(self, client_id: int) -> Account | None:
        """A client's first account: its default."""
        return next(iter(self.by_client.get(client_id, ())), None)

    def with_phone(self, client_id: int, digits: str) -> Account | None:
        """The client's first account with this number."""
        return next(iter(self.by_phone.get((client_id, digits), ())), None)

    def client(self, name: str | int) -> Client:
        """A client by slug or id (also the id as text). NotFoundError."""
        found = self.by_slug.get(str(name)) or (
            self.clients.get(int(name)) if len(str(name)) < 19 and str(name).isdecimal() else None
        )
        if found is None:
            raise NotFoundError(f"no client {str(name)[:100]!r}")
        return found


NOBODY = Directory({}, {}, {}, {}, {}, {}, {})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is different. None: it is gone."""

    clients: Mapping[int, Client | None] = {}
    """By id."""
    tokens: Mapping[str, int | None] = {}
    accounts: Mapping[str, Account | None] = {}
    """By id."""


def changed(before: Directory, change: Change) -> Directory:
    """The next snapshot. Only what changed is looked at; tables that it stands in are copied as they are.

    A copy of a table of 10,000 takes 0.1 ms; to look at each of them takes the loop from everybody.
    """
    tokens = {digest: owner for digest, owner in change.tokens.items() if owner is not None}
    gone = _found(before.by_id, change.accounts)
    new = [account for account in change.accounts.values() if account is not None]
    clients_gone = _found(before.clients, change.clients)
    clients = [client for client in change.clients.values() if client is not None]
    return Directory(
        clients=_replaced(before.clients, clients_gone, {each.id: each for each in clients}),
        by_slug=_replaced(before.by_slug, [each.slug for each in clients_gone.values()], {c.slug: c for c in clients}),
        tokens=_replaced(before.tokens, change.tokens, tokens),
        accounts=_replaced(before.accounts, [each.name for each in gone.values()], {each.name: each for each in new}),
        by_id=_replaced(before.by_id, gone, {each.id: each for each in new}),
        by_client=_grouped(
            before.by_client,
            [(each.client_id, each) for each in gone.values()],
            [(each.client_id, each) for each in new],
        ),
        by_phone=_grouped(
            before.by_phone,
            [((each.client_id, each.phone), each) for each in gone.values() if each.phone],
            [((each.client_id, each.phone), each) for each in new if each.phone],
        ),
    )


def build(clients: Iterable[Client], tokens: Mapping[str, int], accounts: Iterable[Account]) -> Directory:
    """A snapshot of all."""
    everything = Change(
        clients={client.id: client for client in clients},
        tokens=tokens,
        accounts={account.id: account for account in accounts},
    )
    return changed(NOBODY, everything)


Thing = TypeVar("Thing")


def _found(table: Mapping[Key, Thing], keys: Iterable[Key]) -> dict[Key, Thing]:
    return {key: table[key] for key in keys if key in table}


def _replaced(table: Mapping[Key, Thing], gone: Iterable[Key], new: Mapping[Key, Thing]) -> Mapping[Key, Thing]:
    dropped = [key for key in gone if key in table]
    if not dropped and not new:
        return table
    made = dict(table)
    for key in dropped:
        del made[key]
    made |= new
    return made


def _grouped(
    table: Mapping[Key, tuple[Account, ...]], gone: Iterable[tuple[Key, Account]], new: Iterable[tuple[Key, Account]]
) -> Mapping[Key, tuple[Account, ...]]:
    """With these taken out of their groups, and those put in where their age places them."""
    touched: dict[Key, list[Account]] = {}
    for key, account in gone:
        group = touched.setdefault(key, [*table[key]])
        del group[bisect_left(group, _age(account), key=_age)]
    for key, account in new:
        group = touched.setdefault(key, [*table.get(key, ())])
        last = not group or _age(group[-1]) < _age(account)
        group.insert(len(group) if last else bisect_left(group, _age(account), key=_age), account)
    if not touched:
        return table
    made = dict(table)
    for key, group in touched.items():
        made[key] = tuple(group)
        if not group:
            del made[key]
    return made


def _age(account: Account) -> tuple[datetime, str]:
    return account.created_at, account.id
