"""``/api/accounts/{name}/links`` and ``/api/clients/{slug}/links``: links for people who have no token."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from quart import Blueprint, Response

from wagate.clock import Clock
from wagate.errors import NotFoundError
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.views import Page
from wagate.storage.database import Database
from wagate.storage.owners.accounts import get_account
from wagate.storage.owners.clients import get_client
from wagate.storage.passes import Link, Sees, add_link, list_links, revoke_link
from wagate.web.access.auth import Lasts, link_path, new_link
from wagate.web.access.identity import RequestAuth

Note = Annotated[str, msgspec.Meta(max_length=100)]


class NewScanLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link to make."""

    lasts: Lasts = "1h"
    """An hour, a day, or a week."""
    note: Note = ""
    """For whom it is."""


class NewClientLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link to make."""

    lasts: Lasts = "1h"
    """An hour, a day, or a week."""
    note: Note = ""
    """For whom it is."""
    may_act: bool = False
    """Whether its holder may do what the client may; else they look. With less than all: only try again what failed."""
    sees: Sees = "all"
    """all; deliveries: all but texts, names of people and files, requests and answers; state: no deliveries, either."""


class MadeLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link just made."""

    id: str
    """To revoke it."""
    url: str
    """It is shown this once; a path as long as ``server.public_url`` is unset."""
    expires_at: datetime


class LinkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A link, without its secret."""

    id: str
    """To revoke it."""
    note: str
    """For whom it is."""
    may_act: bool
    """Of a client's link: whether its holder may act."""
    sees: Sees
    """Of a client's link: what it shows."""
    created_at: datetime
    expires_at: datetime
    opened_at: datetime | None
    """When it was first opened; null: not yet."""


def links_routes(auth: RequestAuth, database: Database, clock: Clock, *, public_url: str) -> Blueprint:
    """Links to scan are for who owns the number, and for the admin; links for a client are the admin's."""
    routes = Blueprint("links", __name__, url_prefix="/api")
    _add_scan_links(routes, auth, database, clock, public_url.rstrip("/"))
    _add_client_links(routes, auth, database, clock, public_url.rstrip("/"))
    return routes


def _add_scan_links(routes: Blueprint, auth: RequestAuth, database: Database, clock: Clock, base: str) -> None:
    @routes.post("/accounts/<name>/links")
    @endpoint(body=NewScanLink, body_optional=True, answers={201: MadeLink}, problems=(409,), act="make scan link")
    async def make_scan(name: str, body: NewScanLink) -> tuple[MadeLink, int]:
        """Make a link to this number's code, for who has the phone; it is shown only once."""
        row = await database.read(get_account, name, client_id=auth.identity().client_id)
        key, link = new_link(
            "scan", row.client_id, lasts=body.lasts, now=clock.now(), account_id=row.id, note=body.note
        )
        made = await database.write(add_link, link)
        acts_on(f"number:{name}", owner=row.client_id, detail=body.note)
        return MadeLink(id=made, url=base + link_path("scan", key), expires_at=link.expires_at), 201

    @routes.get("/accounts/<name>/links")
    @endpoint(answers={200: Page[LinkAnswer]})
    async def scan_links(name: str) -> Page[LinkAnswer]:
        """A number's links that last, newest first; 50 at most."""
        row = await database.read(get_account, name, client_id=auth.identity().client_id)
        return _page(await database.browse(list_links, "scan", row.id, clock.now()))

    @routes.delete("/accounts/<name>/links/<link_id>")
    @endpoint(answers={204: None}, act="revoke scan link")
    async def revoke_scan(name: str, link_id: str) -> Response:
        """Revoke a link, at once."""
        row = await database.read(get_account, name, client_id=auth.identity().client_id)
        if not await database.write(revoke_link, link_id, "scan", row.id):
            raise NotFoundError("no such link")
        acts_on(f"number:{name}", owner=row.client_id)
        return Response(b"", status=204)


def _add_client_links(routes: Blueprint, auth: RequestAuth, database: Database, clock: Clock, base: str) -> None:
    @routes.post("/clients/<slug>/links")
    @endpoint(body=NewClientLink, body_optional=True, answers={201: MadeLink}, problems=(403, 409), act="make link")
    async def make_client(slug: str, body: NewClientLink) -> tuple[MadeLink, int]:
        """Make a link to the dashboard as this client sees it; it is shown this once, and opens once."""
        auth.admin()
        client = await database.read(get_client, slug)
        key, link = new_link(
            "client",
            client.id,
            lasts=body.lasts,
            now=clock.now(),
            may_act=body.may_act,
            sees=body.sees,
            note=body.note,
        )
        made = await database.write(add_link, link)
        acts_on(slug, owner=client.id, detail=f"{link.may} {body.note}".strip())
        return MadeLink(id=made, url=base + link_path("client", key), expires_at=link.expires_at), 201

    @routes.get("/clients/<slug>/links")
    @endpoint(answers={200: Page[LinkAnswer]}, problems=(403,))
    async def client_links(slug: str) -> Page[LinkAnswer]:
        """A client's links that last, newest first; 50 at most."""
        auth.admin()
        client = await database.read(get_client, slug)
        return _page(await database.browse(list_links, "client", client.id, clock.now()))

    @routes.delete("/clients/<slug>/links/<link_id>")
    @endpoint(answers={204: None}, problems=(403,), act="revoke link")
    async def revoke_client(slug: str, link_id: str) -> Response:
        """Revoke a link, at once: who signed in with it is signed out."""
        auth.admin()
        client = await database.read(get_client, slug)
        if not await database.write(revoke_link, link_id, "client", client.id):
            raise NotFoundError("no such link")
        acts_on(slug, owner=client.id, detail=link_id[-6:])
        return Response(b"", status=204)


def _page(rows: list[Link]) -> Page[LinkAnswer]:
    data = [
        LinkAnswer(
            id=each.id,
            note=each.note,
            may_act=each.may_act,
            sees=each.sees,
            created_at=each.created_at,
            expires_at=each.expires_at,
            opened_at=each.opened_at,
        )
        for each in rows
    ]
    return Page(data=data, next_cursor=None)
