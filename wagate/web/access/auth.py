"""Who asks: bearer tokens, X-Api-Key, view tokens, and links for people without a token.

A link's secret is in the link alone, and what is stored is its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

from wagate.errors import UnauthorizedError
from wagate.hooks.contracts import Identity
from wagate.storage.owners.directory import Directory
from wagate.storage.passes import Kind, Link, Sees
from wagate.web.access.rate_limit import RateLimit

ADMIN = Identity(admin=True)
KEY: Final = "k"
"""The parameter with the secret, in the link and in its forms."""
LASTS: Final = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
"""How long a link lasts, by its word."""
Lasts = Literal["1h", "1d", "7d"]
PAGES: Final[dict[Kind, str]] = {"scan": "/ui/scan", "client": "/ui/enter"}
"""What a link opens."""


def token_hash(token: str) -> str:
    """How a token is stored and looked up: SHA-256, hex. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def token_of(authorization: str | None, api_key: str | None) -> str | None:
    """The token that a request carries: ``Authorization: Bearer <token>`` or ``X-Api-Key: <token>``."""
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    return api_key.strip() if api_key and api_key.strip() else None


class Authenticator:
    """Turns a token into an identity, in constant time, and slows down who guesses."""

    def __init__(
        self,
        admin_token: str,
        directory: Callable[[], Directory],
        *,
        view_account: Callable[[str], str | None],
        failures: RateLimit,
        used: Callable[[str], None],
    ) -> None:
        """``view_account`` gives the account name of a valid view token, else None.

        ``used`` takes the SHA-256 (hex) of a client's token that was given.
        """
        self._used = used
        self._admin_hash = token_hash(admin_token)
        self._directory = directory
        self._view_account = view_account
        self._failures = failures

    def admit(self, admin_token: str) -> None:
        """From now on this is the admin's token, and the old one is nobody's."""
        self._admin_hash = token_hash(admin_token)

    def identify(self, token: str | None, *, address: str) -> Identity:
        """Whose token it is.

        Raises:
            UnauthorizedError: none given, or a wrong one.
            TooManyRequestsError: this address sent too many wrong ones.
        """
        if token is None:
            raise UnauthorizedError("a token is needed: send Authorization: Bearer <token> or X-Api-Key: <token>")
        found = self.find(token)
        if found is not None:
            return found
        self.failed(address)
        raise UnauthorizedError("this token is not valid; `wagate client token SLUG` makes a new one")

    def failed(self, address: str) -> None:
        """Count one wrong secret of any kind. TooManyRequestsError when this address sent too many."""
        self._failures.spend(address)

    def view(self, token: str, *, address: str) -> str:
        """The account that a view token lets its holder look at.

        Raises:
            UnauthorizedError: it is forged, or has expired.
            TooManyRequestsError: this address sent too many wrong ones.
        """
        account = self._view_account(token)
        if account is None:
            self.failed(address)
            raise UnauthorizedError("this view token is not valid, or has expired")
        return account

    def find(self, token: str) -> Identity | None:
        """The admin's or a client's identity, or None."""
        return self.find_hashed(token_hash(token))

    def find_hashed(self, hashed: str) -> Identity | None:
        """The same, by the SHA-256 (hex) of a token."""
        if hmac.compare_digest(hashed, self._admin_hash):
            return ADMIN
        directory = self._directory()
        client = directory.clients.get(directory.tokens.get(hashed, 0))
        if client is None:
            return None
        self._used(hashed)
        return Identity(admin=False, client_id=client.id, tenant=client.slug)

    def find_viewer(self, token: str) -> str | None:
        """The account that a view token lets its holder look at, or None."""
        return self._view_account(token)


def new_link(
    kind: Kind,
    client_id: int,
    *,
    lasts: str,
    now: datetime,
    account_id: str = "",
    may_act: bool = False,
    sees: Sees = "all",
    note: str = "",
) -> tuple[str, Link]:
    """The secret of a new link, and what is stored of it. A word that is none lasts for an hour."""
    key = secrets.token_urlsafe(24)
    return key, Link(
        hash=token_hash(key),
        kind=kind,
        client_id=client_id,
        account_id=account_id,
        may_act=may_act,
        sees=sees,
        note=note.strip()[:100],
        created_at=now,
        expires_at=now + LASTS.get(lasts, LASTS["1h"]),
    )


def link_path(kind: Kind, key: str) -> str:
    """Of the link, below the gateway's address."""
    return f"{PAGES[kind]}?{KEY}={key}"
