"""``/api/clients``: owners and their tokens, for the admin."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import msgspec
import peewee
from quart import Blueprint, Response

from wagate.clock import Clock
from wagate.errors import UnprocessableError
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.views import Page
from wagate.storage.database import Database
from wagate.storage.owners.clients import (
    add_client,
    add_token,
    delete_client,
    get_client,
    list_clients,
    list_tokens,
    rename_client,
    revoke_token,
)
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import ClientRow, TokenRow
from wagate.web.access.auth import token_hash
from wagate.web.access.identity import RequestAuth
from wagate.web.api.lists import Cursor, Limit, Number, page_of

SLUG = r"^[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*$"
"""A letter at least: an id has none, so that slug and id never mean two clients."""
Slug = Annotated[str, msgspec.Meta(pattern=SLUG, min_length=1, max_length=63)]
Label = Annotated[str, msgspec.Meta(max_length=100)]


class NewClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client to make."""

    slug: Slug
    """``tenant_id`` from now on: letters, digits and ``_.-``, with a letter at least."""
    name: Label = ""
    """For people; the slug when empty."""


class ClientChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed of a client."""

    name: Label
    """For people."""


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to make."""

    name: Label = ""
    """For people: what it is used for."""


class MadeClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client just made."""

    id: int
    """``client_id``."""
    slug: str
    """``tenant_id``."""
    token: str
    """Its first token. It is shown only once."""


class ClientAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A client."""

    id: int
    """``client_id``."""
    slug: str
    """``tenant_id``."""
    name: str
    """For people."""
    created_at: datetime
    updated_at: datetime


class MadeToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token just made."""

    id: str
    """To revoke it."""
    name: str
    """For people."""
    token: str
    """It is shown only once."""


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without itself."""

    id: str
    """To revoke it."""
    name: str
    """For people."""
    created_at: datetime
    last_used_at: datetime | None
    """To the minute; null: never."""


class ClientsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page."""

    limit: Limit = 50
    cursor: Number | None = None


class TokensQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which page."""

    limit: Limit = 50
    cursor: Cursor | None = None


def new_token() -> str:
    """A fresh token: 256 random bits, recognisable for scanners."""
    return "wgt_" + secrets.token_urlsafe(32)


def clients_routes(
    auth: RequestAuth, database: Database, live: LiveDirectory, clock: Clock, *, most_tokens: int
) -> Blueprint:
    """Clients; all for the admin token only. ``most_tokens``: of one client."""
    routes = Blueprint("clients", __name__, url_prefix="/api/clients")
    routes.before_request(_for_the_admin(auth))

    @routes.post("")
    @endpoint(body=NewClient, answers={201: MadeClient}, problems=(403, 409), act="add client")
    async def add(body: NewClient) -> tuple[MadeClient, int]:
        """Make a client, and its first token, which is shown only once."""
        if not re.fullmatch(SLUG, body.slug):
            raise UnprocessableError("a slug has letters, digits and _.- only", field="slug")
        token = new_token()
        row = await database.write(_add_with_token, body, token, clock.now())
        await live.reload()
        acts_on(row.slug, owner=row.id)
        return MadeClient(id=row.id, slug=row.slug, token=token), 201

    @routes.get("")
    @endpoint(query=ClientsQuery, answers={200: Page[ClientAnswer]}, problems=(403,))
    async def index(query: ClientsQuery) -> Page[ClientAnswer]:
        """All clients, oldest first."""
        after = None if query.cursor is None else int(query.cursor)
        rows = await database.browse(list_clients)
        page, cursor = page_of(rows, lambda row: row.id, limit=query.limit, after=after)
        return Page(data=[_answer(row) for row in page], next_cursor=cursor)

    @routes.get("/<slug>")
    @endpoint(answers={200: ClientAnswer}, problems=(403,))
    async def show(slug: str) -> ClientAnswer:
        """One client."""
        return _answer(await database.read(get_client, slug))

    @routes.patch("/<slug>")
    @endpoint(body=ClientChange, answers={200: ClientAnswer}, problems=(403,), act="rename client")
    async def change(slug: str, body: ClientChange) -> ClientAnswer:
        """Rename a client; its slug stays."""
        row = await database.write(rename_client, slug, name=body.name, now=clock.now())
        await live.reload()
        acts_on(row.slug, owner=row.id, detail=row.name)
        return _answer(row)

    @routes.delete("/<slug>")
    @endpoint(answers={204: None}, problems=(403, 409), act="delete client")
    async def delete(slug: str) -> Response:
        """Delete a client with its tokens, accounts and webhooks; cancel what waits. Events stay until retention."""
        await database.write(delete_client, slug, now=clock.now())
        await live.reload()
        return Response(b"", status=204)

    _add_tokens(routes, database, live, clock, most_tokens)
    return routes


def _add_tokens(routes: Blueprint, database: Database, live: LiveDirectory, clock: Clock, most: int) -> None:
    @routes.post("/<slug>/tokens")
    @endpoint(body=NewToken, body_optional=True, answers={201: MadeToken}, problems=(403, 409), act="add token")
    async def add_one(slug: str, body: NewToken) -> tuple[MadeToken, int]:
        """Make another token for a client; it is shown only once."""
        token = new_token()
        client = await database.read(get_client, slug)
        row = await database.write(_add_token_to, slug, token, body.name, now=clock.now(), most=most)
        await live.reload()
        acts_on(slug, owner=client.id, detail=f"{row.id} {row.name}")
        return MadeToken(id=row.id, name=row.name, token=token), 201

    @routes.get("/<slug>/tokens")
    @endpoint(query=TokensQuery, answers={200: Page[TokenAnswer]}, problems=(403,))
    async def tokens(slug: str, query: TokensQuery) -> Page[TokenAnswer]:
        """A client's tokens, oldest first."""
        client = await database.read(get_client, slug)
        rows = await database.browse(list_tokens, client.id)
        page, cursor = page_of(rows, lambda row: row.id, limit=query.limit, after=query.cursor)
        data = [_token_answer(row) for row in page]
        return Page(data=data, next_cursor=cursor)

    @routes.delete("/<slug>/tokens/<token_id>")
    @endpoint(answers={204: None}, problems=(403,), act="revoke token")
    async def revoke(slug: str, token_id: str) -> Response:
        """Revoke a token, at once."""
        client = await database.read(get_client, slug)
        await database.write(revoke_token, client_id=client.id, token_id=token_id)
        await live.reload()
        acts_on(slug, owner=client.id, detail=token_id)
        return Response(b"", status=204)


def _for_the_admin(auth: RequestAuth) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        auth.admin()

    return check


def _add_with_token(db: peewee.Database, new: NewClient, token: str, now: datetime) -> ClientRow:
    row = add_client(db, slug=new.slug, name=new.name or new.slug, now=now)
    add_token(db, client_id=row.id, digest=token_hash(token), name="first", now=now)
    return row


def _add_token_to(db: peewee.Database, slug: str, token: str, name: str, *, now: datetime, most: int) -> TokenRow:
    client = get_client(db, slug)
    return add_token(db, client_id=client.id, digest=token_hash(token), name=name, now=now, most=most)


def _token_answer(row: TokenRow) -> TokenAnswer:
    return TokenAnswer(id=row.id, name=row.name, created_at=row.created_at, last_used_at=row.last_used_at)


def _answer(row: ClientRow) -> ClientAnswer:
    return ClientAnswer(id=row.id, slug=row.slug, name=row.name, created_at=row.created_at, updated_at=row.updated_at)
