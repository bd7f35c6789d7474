"""Who is who, as plugins see it: accounts and clients, without credentials, and people by all their keys."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import to_builtins

from wagate.hooks.contracts import AccountView, ClientView
from wagate.hooks.views import PersonView
from wagate.inbound.people import People
from wagate.parsing.chats import USER
from wagate.storage.owners.directory import Account, Client
from wagate.storage.owners.live import LiveDirectory


class Owners:
    """`wagate.hooks.context.Accounts`."""

    def __init__(self, live: LiveDirectory) -> None:
        self._live = live

    def get(self, name: str) -> AccountView | None:
        """One account."""
        found = self._live.now.accounts.get(name)
        return None if found is None else _account(found)

    def by_phone(self, client_id: int, phone: str) -> AccountView | None:
        """A client's account with this number."""
        found = self._live.now.with_phone(client_id, phone)
        return None if found is None else _account(found)

    def client(self, client_id: int) -> ClientView | None:
        """One client."""
        found = self._live.now.clients.get(client_id)
        return None if found is None else _client(found)

    def clients(self) -> Sequence[ClientView]:
        """All clients."""
        return [_client(each) for each in self._live.now.clients.values()]

    def of(self, client_id: int) -> Sequence[AccountView]:
        """All accounts of a client, by name."""
        found = self._live.now.by_client.get(client_id, ())
        return [_account(each) for each in sorted(found, key=lambda each: each.name)]


def _account(account: Account) -> AccountView:
    return AccountView(
        name=account.name,
        client_id=account.client_id,
        provider=account.provider,
        phone=account.phone,
        metadata=to_builtins(account.metadata),  # the directory's own would be everybody's
    )


def _client(client: Client) -> ClientView:
    return ClientView(id=client.id, slug=client.slug, name=client.name)


class KnownPeople:
    """`wagate.hooks.context.People`."""

    def __init__(self, people: People, live: LiveDirectory) -> None:
        self._people = people
        self._live = live

    async def of(self, chat: str, *, client_id: int, account: str = "") -> PersonView:
        """Who has this key. See the protocol."""
        found = self._live.now.accounts.get(account)
        asked = found if found is not None and found.client_id == client_id else None
        row = await self._people.of(chat, client_id=client_id, account=asked)
        if row is None:
            return PersonView(keys=(chat,), current=chat, known=False)
        keys = (chat, *(key for key in row.keys if key != chat))
        return PersonView(keys=keys, name=row.name, current=row.phone or chat)

    async def current(self, chat: str, *, client_id: int, account: str = "") -> str:
        """Where to write to. See the protocol."""
        if not chat.endswith((f"@{USER}", "@lid", "@user")):
            return chat
        return (await self.of(chat, client_id=client_id, account=account)).current
