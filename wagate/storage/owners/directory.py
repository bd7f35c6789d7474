"""Who is who, in memory: clients, tokens, accounts and endpoints, replaced as a whole when anything changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from wagate.errors import NotFoundError


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
    by_phone: Mapping[tuple[int, str], Account]
    """By (client id, digits)."""
    oldest: Mapping[int, Account]
    """A client's first account: its default."""

    def client(self, name: str | int) -> Client:
        """A client by slug or id (also the id as text). NotFoundError."""
        found = self.by_slug.get(str(name)) or (
            self.clients.get(int(name)) if len(str(name)) < 19 and str(name).isdecimal() else None
        )
        if found is None:
            raise NotFoundError(f"no client {str(name)[:100]!r}")
        return found


def build(clients: list[Client], tokens: Mapping[str, int], accounts: list[Account]) -> Directory:
    """Index a snapshot; ``accounts`` in order of their making."""
    oldest: dict[int, Account] = {}
    of: defaultdict[int, list[Account]] = defaultdict(list)
    for account in accounts:
        oldest.setdefault(account.client_id, account)
        of[account.client_id].append(account)
    return Directory(
        clients={client.id: client for client in clients},
        by_slug={client.slug: client for client in clients},
        tokens=dict(tokens),
        accounts={account.name: account for account in accounts},
        by_id={account.id: account for account in accounts},
        by_client={client_id: tuple(own) for client_id, own in of.items()},
        by_phone={(account.client_id, account.phone): account for account in reversed(accounts) if account.phone},
        oldest=oldest,
    )
