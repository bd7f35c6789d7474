"""Links for people without a token: made, shown once, listed, revoked; every act on them is written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quart import request

from wagate.storage.passes import Kind, Link, Sees, add_link, find_link, open_link, revoke_link
from wagate.web.access.auth import KEY, new_link, token_hash
from wagate.web.ui.parts import Parts
from wagate.web.ui.signin import Viewer, guest

WORDS: Final = {"1h": "1 hour", "1d": "1 day", "7d": "7 days"}
"""How long a link lasts, by the form's word."""
SEES: Final[Mapping[Sees, str]] = {
    "all": "everything",
    "deliveries": "deliveries without text",
    "state": "state only",
}
"""What a client's link shows, in words."""


async def make_link(parts: Parts, kind: Kind, client_id: int, **more: Any) -> tuple[str, Link]:
    """The secret of a new link, and what `wagate.web.access.auth.new_link` makes of ``more``.

    ConflictError: there are too many.
    """
    key, made = new_link(kind, client_id, now=parts.now(), **more)
    await parts.database.write(add_link, made)
    return key, made


async def revoke(parts: Parts, link_id: str, kind: Kind, of: int | str) -> bool:
    """End it. False: there is none such; it was revoked before, or has expired."""
    return await parts.database.write(revoke_link, link_id, kind, of)


async def given_link(parts: Parts, kind: Kind) -> Link | None:
    """The link that the running request opens; None: a wrong one, which counts as a wrong token does.

    TooManyRequestsError: this address tried too many, or the link is used too often.
    """
    key = (await request.form).get(KEY, "") if request.method == "POST" else request.args.get(KEY, "")
    found = await parts.database.browse(find_link, token_hash(key), parts.now(), kind)
    if found is None:
        parts.signins.wrong(parts.address())
        return None
    parts.spend(f"link {found.id}")
    return found


async def note_opened(parts: Parts, found: Link, thing: str) -> bool:
    """Write down that it was opened; False: it was before."""
    if found.opened_at is not None or not await parts.database.write(open_link, found.hash, parts.now()):
        return False
    await parts.note("open link", thing, found.note, owner=found.client_id, who=name_of(found))
    return True


def name_of(found: Link) -> str:
    """Who acts by it, in the audit."""
    return f"link {found.id[-6:]}"


def viewer_of(parts: Parts, found: Link) -> Viewer | None:
    """Whom a link stands for; None: the client is gone."""
    client = parts.live.now.clients.get(found.client_id)
    if client is None:
        return None
    return guest(found, client, cookie=found.hash)
