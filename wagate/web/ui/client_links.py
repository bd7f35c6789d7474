"""Links for a client: whoever opens one is signed in as that client, once, until it expires or is revoked."""

from __future__ import annotations

from quart import Blueprint, g, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import ConflictError
from wagate.storage.passes import Sees
from wagate.web.access.auth import KEY, link_path
from wagate.web.ui import words
from wagate.web.ui.clients import client_id_of, client_page
from wagate.web.ui.links import SEES, given_link, make_link, note_opened, revoke, viewer_of
from wagate.web.ui.parts import Parts, back
from wagate.web.ui.render import PREFIX, render
from wagate.web.ui.signin import set_cookie

Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """``/ui/enter``, and the links on a client's page."""
    routes = Blueprint("client_links", __name__)

    @routes.post("/clients/<slug>/links")
    async def make(slug: str) -> Page:
        client_id, form = await client_id_of(parts, slug), await request.form
        lasts, note = form.get("lasts", ""), form.get("note", "")
        # A word that is none shows least, as it lasts least.
        sees: Sees = next((each for each in SEES if each == form.get("sees", "all")), "state")
        try:
            key, made = await make_link(
                parts, "client", client_id, lasts=lasts, may_act=form.get("may") == "act", sees=sees, note=note
            )
        except ConflictError as error:
            return await client_page(parts, slug, wrong={"": f"{error}."}), 409
        await parts.note("make link", slug, f"{made.may} {note}".strip(), owner=client_id)
        return await client_page(parts, slug, link=f"{parts.origin()}{link_path('client', key)}")

    @routes.post("/clients/<slug>/links/<link_id>/revoke")
    async def end(slug: str, link_id: str) -> WerkzeugResponse:
        client_id = await client_id_of(parts, slug)
        if not await revoke(parts, link_id, "client", client_id):
            return back(f"{PREFIX}/clients/{slug}", "nolink")
        await parts.note("revoke link", slug, link_id[-6:], owner=client_id)
        return back(f"{PREFIX}/clients/{slug}", "unlinked")

    @routes.get("/enter")
    async def look() -> Page | WerkzeugResponse:
        """A page with a button: programs that fetch links for a preview must not use it up.

        Where it was opened already, it leads on for as long as it lasts: people press the link in their chat again.
        """
        found = await given_link(parts, "client")
        if found is not None and g.viewer is not None and g.viewer.link == found.id:
            return back(f"{PREFIX}/")
        if found is None or found.opened_at is not None or (who := viewer_of(parts, found)) is None:
            return _ended()
        return _lone(ended=False, key=request.args.get(KEY, ""), slug=who.identity.tenant, can=words.link_shows(found))

    @routes.post("/enter")
    async def enter() -> Page | WerkzeugResponse:
        found = await given_link(parts, "client")
        if found is None or viewer_of(parts, found) is None:
            return _ended()
        if not await note_opened(parts, found, parts.live.now.clients[found.client_id].slug):
            return _ended()
        cookie, made = await parts.signins.sign_in_by(found, address=parts.address())
        response = back(f"{PREFIX}/")
        set_cookie(response, cookie, made, secure=parts.secure())  # type: ignore[arg-type]  # werkzeug's is enough
        return response

    return routes


def _ended() -> tuple[str, int]:
    return _lone(ended=True, key="", slug="", can=""), 404


def _lone(**values: object) -> str:
    return render("enter", theme=request.cookies.get("theme", ""), **values)
