"""Who asks, while a request runs: the core's part of a plugin's context, and view tokens."""

from __future__ import annotations

import msgspec
from quart import g

from wagate.config.vault import Vault
from wagate.errors import ForbiddenError, NotFoundError, UnauthorizedError
from wagate.hooks.contracts import ClientView, Identity
from wagate.storage.owners.clients import DEFAULT
from wagate.storage.owners.directory import Account, Client
from wagate.storage.owners.live import LiveDirectory

VIEW = "view"
"""Purpose of the signed tokens that let their holder look at one session."""
WITHIN = "wagate.within"
"""Key of an ASGI scope that no request from outside can have: a page of ours asks, see `Within`."""


class Within(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks from inside the process, in place of a token."""

    identity: Identity
    token: str
    """What rate limits count by: a hash of theirs."""


class RequestAuth:
    """`wagate.hooks.context.Auth`: reads what the guard wrote into Quart's ``g``."""

    def __init__(self, live: LiveDirectory) -> None:
        self._live = live

    def identity(self) -> Identity:
        """Whose token the running request carries. UnauthorizedError on a public route without one."""
        identity: Identity | None = g.get("identity")
        if identity is None:
            raise UnauthorizedError("a token is needed: send Authorization: Bearer <token> or X-Api-Key: <token>")
        return identity

    def owner(self, tenant: str | None) -> ClientView:
        """The client that the running request is about. NotFoundError when it is none of the token's."""
        identity = self.identity()
        if identity.client_id is None:
            return _view(self._live.now.client(DEFAULT if tenant is None else tenant))
        client = self._live.now.clients.get(identity.client_id)
        if client is None or tenant not in {None, client.slug, str(client.id)}:
            raise NotFoundError(f"no client {(tenant or '')[:100]!r}")
        return _view(client)

    def may_see(self, client_id: int) -> bool:
        """Whether the running request's token may see what belongs to this client."""
        identity = self.identity()
        return identity.admin or identity.client_id == client_id

    def admin(self) -> None:
        """Refuse everybody else. ForbiddenError."""
        if not self.identity().admin:
            raise ForbiddenError("this needs the admin token")


class ViewTokens:
    """Tokens that expire and only let their holder look at one session."""

    def __init__(self, vault: Vault, live: LiveDirectory) -> None:
        self._vault = vault
        self._live = live

    def make(self, account: Account, *, seconds: float) -> str:
        """A token for this account. It ends with the account, too: another one of the same name is not seen."""
        return self._vault.sign(f"{account.id} {account.name}", purpose=VIEW, seconds=seconds)

    def account(self, token: str) -> str | None:
        """The account's name that a token lets its holder look at; None when it is forged, has expired, or is gone."""
        try:
            account_id, _, name = self._vault.unsign(token, purpose=VIEW).partition(" ")
        except UnauthorizedError:
            return None
        account = self._live.now.accounts.get(name)
        return name if account is not None and account.id == account_id else None


def _view(client: Client) -> ClientView:
    return ClientView(id=client.id, slug=client.slug, name=client.name)
