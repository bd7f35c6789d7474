"""A number's first steps on one page: scan, the first message, who gets it, a test. Nothing else is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

from markupsafe import Markup
from quart import Blueprint, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.storage.owners.accounts import get_account
from wagate.storage.rows import AccountRow
from wagate.storage.threads.talk import newest_incoming
from wagate.web.ui import words
from wagate.web.ui.forms import form_key
from wagate.web.ui.leaves import leaf, when
from wagate.web.ui.numbers import account_of, panel_of, scan_panel
from wagate.web.ui.parts import Parts, back, viewer
from wagate.web.ui.webhooks import API, label, note, row_of, send_test, tried_of

SHOWN: Final = timedelta(days=1)
"""An older message is no news of who sets a number up."""
MOST: Final = 200
"""Characters of it."""
WEBHOOK: Final = "webhook:"
"""How the targets begin that a test can be sent to."""
Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """``/ui/numbers/<name>/first``."""
    routes = Blueprint("first_run", __name__)

    @routes.get("/numbers/<name>/first")
    async def show(name: str) -> str:
        return await first_page(parts, name)

    @routes.post("/numbers/<name>/first")
    async def add(name: str) -> Page:
        row, form = await account_of(parts, name), await request.form
        url = form.get("webhook_url", "").strip()
        body = {"phone_number": row.name, "webhook_url": url, "events": ["message"]}
        if viewer().identity.admin:
            body["tenant_id"] = row.tenant
        made = await parts.api.call("POST", f"{API}/register", body, who=viewer(), key=form_key(form))
        if made.wrong:
            wrong = {"webhook_url": made.wrong.get("webhook_url") or next(iter(made.wrong.values()))}
            return await first_page(parts, name, url=url, wrong=wrong), 422
        if not made.replayed:
            await note(parts, "add webhook", made.data)
        return await first_page(parts, name, secret=made.data["secret"])

    @routes.post("/numbers/<name>/first/test")
    async def test(name: str) -> Page | WerkzeugResponse:
        row = await account_of(parts, name)
        hook, _ = await _receivers(parts, row)
        if hook is None:
            wrong = {"webhook_url": "First enter the URL that gets the messages."}
            return await first_page(parts, name, wrong=wrong), 409
        delivery_id, refused = await send_test(parts, hook)
        if refused:
            return await first_page(parts, name, refused=refused), 409
        return back(f"{first_run_path(name)}?tried={quote(delivery_id)}#test")

    return routes


def first_run_path(name: str) -> str:
    """Of a number's first steps."""
    return f"/ui/numbers/{quote(name, safe='')}/first"


async def first_page(
    parts: Parts,
    name: str,
    *,
    did: str = "",
    url: str = "",
    wrong: Mapping[str, str] | None = None,
    secret: str = "",
    refused: str = "",
) -> str:
    """The page; ``did`` and ``refused``: what the last act, or the test, ran into; ``secret``: of the new webhook."""
    row = await account_of(parts, name)
    provider = parts.providers.get(row.provider)
    hook, others = await _receivers(parts, row)
    found = None if hook is None else await row_of(parts, hook)
    return parts.page(
        "first",
        "numbers",
        row=row,
        live=f"page=first&{urlencode({'thing': row.name})}" if viewer().opens("first") else "",
        scans=provider is not None and provider.sessions,
        pairs=provider is not None and provider.pair_code is not None,
        first=await _first(parts, row),
        hook=found,
        label="" if found is None else label(found),
        others=others,
        asked={"webhook_url": url},
        wrong=wrong or {},
        did=did,
        secret=secret,
        refused=refused,
        tried=None if hook is None else await tried_of(parts, hook, request.args.get("tried", "")),
        **panel_of(parts, row, may_act=viewer().may_act),
    )


async def first_leaves(parts: Parts, name: str, *, client_id: int | None, may_act: bool) -> dict[str, Markup]:
    """What moves on it: the panel to scan from, and the newest message; nothing once the number is gone."""
    panel = await scan_panel(parts, name, client_id=client_id, may_act=may_act)
    if not panel:
        return {}
    row = await parts.database.browse(get_account, name, client_id=client_id)
    return {**panel, "first": await _first(parts, row)}


async def _first(parts: Parts, row: AccountRow) -> Markup:
    now = parts.now()
    since = max(row.created_at, now - SHOWN)
    event = await parts.database.browse(
        newest_incoming, client_id=row.client_id, account=row.name, account_id=row.id, since=since
    )
    if event is None:
        return leaf("first", "Nothing came in yet. Write to it from any other phone; the message appears here.")
    who, text = event.contact_name or words.chat(event.chat), event.content[:MOST] or f"({event.type})"
    shown = Markup('<b dir="auto">{}</b> wrote: <span dir="auto">{}</span> {}')
    return leaf("first", shown.format(who, text, when(event.created_at, now)))


async def _receivers(parts: Parts, row: AccountRow) -> tuple[str | None, list[str]]:
    """Who gets its messages: the id of a webhook, if there is one, and the names of all others."""
    _, gets = await parts.targets.getting(row.id)
    hooks = sorted((one.id for one in gets if one.id.startswith(WEBHOOK)), reverse=True)
    newest = hooks[0] if hooks else ""
    return newest.removeprefix(WEBHOOK) or None, sorted(one.name for one in gets if one.id != newest)
