"""Clients and their tokens, for the admin: a token is shown once, and its last use ever after. All by the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from quart import Blueprint, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import NotFoundError, UnprocessableError
from wagate.storage.passes import list_links
from wagate.web.ui.forms import form_key
from wagate.web.ui.links import SEES, WORDS
from wagate.web.ui.own_api import Answered
from wagate.web.ui.parts import Parts, back, viewer

API: Final = "/api/clients"
SLUG: Final = "Give 1 to 63 letters, digits, _ . and -, with a letter at least."
"""In place of a pattern, which is how the API says it."""
Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """``/ui/clients``."""
    routes = Blueprint("clients", __name__)
    _add_clients(routes, parts)
    _add_tokens(routes, parts)
    return routes


def _add_clients(routes: Blueprint, parts: Parts) -> None:
    @routes.get("/clients")
    async def index() -> str:
        return await _list(parts)

    @routes.post("/clients")
    async def add() -> Page:
        form = await request.form
        asked = {"slug": form.get("slug", "").strip(), "name": form.get("name", "").strip()}
        made = await parts.api.call("POST", API, asked, who=viewer(), key=form_key(form))
        if wrong := _wrong(made, "slug"):
            if made.status == UnprocessableError.status and "slug" in wrong:
                wrong["slug"] = SLUG
            return await _list(parts, asked=asked, wrong=wrong), 422
        if not made.replayed:
            await parts.note("add client", asked["slug"], owner=made.data["id"])
        return await client_page(parts, asked["slug"], token=made.data["token"])

    @routes.get("/clients/<slug>")
    async def show(slug: str) -> str:
        return await client_page(parts, slug)

    @routes.post("/clients/<slug>")
    async def rename(slug: str) -> Page | WerkzeugResponse:
        name = (await request.form).get("name", "").strip()
        row = await parts.api.call("PATCH", _path(slug), {"name": name}, who=viewer())
        if wrong := _wrong(row, "name"):
            return await client_page(parts, slug, asked={"name": name}, wrong=wrong), 422
        await parts.note("rename client", slug, name, owner=row.data["id"])
        return back(f"/ui/clients/{quote(slug)}", "saved")


def _add_tokens(routes: Blueprint, parts: Parts) -> None:
    @routes.post("/clients/<slug>/tokens")
    async def add_token(slug: str) -> Page:
        form = await request.form
        name = form.get("label", "").strip()
        made = await parts.api.call("POST", f"{_path(slug)}/tokens", {"name": name}, who=viewer(), key=form_key(form))
        if wrong := _wrong(made, "label"):
            return await client_page(parts, slug, asked={"label": name}, wrong=wrong), 422
        if not made.replayed:
            await parts.note("add token", slug, f"{made.data['id']} {name}", owner=await client_id_of(parts, slug))
        return await client_page(parts, slug, token=made.data["token"])

    @routes.post("/clients/<slug>/tokens/<token_id>/revoke")
    async def revoke(slug: str, token_id: str) -> WerkzeugResponse:
        owner = await client_id_of(parts, slug)
        (await parts.api.call("DELETE", f"{_path(slug)}/tokens/{quote(token_id, safe='')}", who=viewer())).expect()
        await parts.note("revoke token", slug, token_id, owner=owner)
        return back(f"/ui/clients/{quote(slug)}", "revoked")


async def _list(parts: Parts, *, asked: dict[str, str] | None = None, wrong: dict[str, str] | None = None) -> str:
    cursor = request.args.get("after", "")
    page = (await parts.api.call("GET", API, who=viewer(), query={"cursor": cursor})).expect()
    return parts.page("clients", "clients", page=page, asked=asked or {}, wrong=wrong or {})


async def client_page(
    parts: Parts,
    slug: str,
    *,
    token: str = "",
    link: str = "",
    asked: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> str:
    """A client's page; ``token`` and ``link``: just made."""
    row = (await parts.api.call("GET", _path(slug), who=viewer())).expect()
    cursor = request.args.get("after", "")
    query = {"cursor": cursor, "limit": 200}
    page = (await parts.api.call("GET", f"{_path(slug)}/tokens", who=viewer(), query=query)).expect()
    return parts.page(
        "client",
        "clients",
        row=row,
        tokens=[{**each, "last_used_at": _time(each["last_used_at"])} for each in page["data"]],
        more=page["next_cursor"],
        numbers=sorted(each.name for each in parts.live.now.accounts.values() if each.client_id == row["id"]),
        token=token,
        link=link,
        links=await parts.database.browse(list_links, "client", row["id"], parts.now()),
        lasts=WORDS,
        sees=SEES,
        asked={"name": row["name"]} | (asked or {}),
        wrong=wrong or {},
    )


def _wrong(answer: Answered, field: str) -> dict[str, str]:
    """What is wrong with a form that has this field before all others. RequestError: something that no typing mends."""
    if answer.status in {403, NotFoundError.status}:
        answer.expect()
    found = answer.wrong
    if found and field not in found:
        # The API's name for a token's label is ``name``; a slug that is taken names no field.
        return {field: next(iter(found.values()))}
    return found


async def client_id_of(parts: Parts, slug: str) -> int:
    """For the admin alone. NotFoundError, ForbiddenError."""
    row: dict[str, Any] = (await parts.api.call("GET", _path(slug), who=viewer())).expect()
    return int(row["id"])


def _path(slug: str) -> str:
    return f"{API}/{quote(slug, safe='')}"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
