"""Numbers: what is connected, and the code to scan for what is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from quart import Blueprint

from wagate.errors import NotFoundError
from wagate.events import SessionStatus
from wagate.hooks.providers import Provider
from wagate.hooks.sessions import SESSION_ACTIONS
from wagate.inbound.qr_image import qr_image
from wagate.storage.deliveries.survey import worst
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.owners.accounts import QR_LIFE, get_account, list_accounts
from wagate.storage.passes import list_links
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow
from wagate.web.ui import without_text
from wagate.web.ui.account_fields import BEFORE, label_of, shown
from wagate.web.ui.leaves import leaf, leaves_of, number_mark
from wagate.web.ui.linking import linking
from wagate.web.ui.links import WORDS
from wagate.web.ui.parts import Parts, one_client, page_asked, viewer
from wagate.web.ui.render import render
from wagate.web.ui.trouble import mending, table_of, troubles

CONFIG = "config"
"""The source of an account that is in config.toml."""
PAGE = 50
"""Numbers on a page of the list."""
RECEIVERS = 12
"""On a number's page, worst first; the rest are on theirs."""
STEPS = (
    "Open WhatsApp on the phone with this number",
    "On Android tap ⋮, on iPhone Settings; then Linked devices",
    "Tap Link a device, and hold the phone to this screen",
)


def pages(parts: Parts) -> Blueprint:
    """``/ui/numbers``."""
    routes = Blueprint("numbers", __name__)

    @routes.get("/numbers")
    async def index() -> str:
        rows = await parts.database.browse(list_accounts, client_id=parts.whose())
        begin = page_asked() * PAGE
        some = sorted(rows, key=lambda each: each.name)[begin : begin + PAGE]
        some = some if viewer().texts else [without_text.number(each) for each in some]
        more = begin // PAGE + 1 if len(rows) > begin + PAGE else 0
        return parts.page(
            "numbers", "numbers", rows=some, count=len(rows), more=more, beyond=begin > 0, client=one_client()
        )

    @routes.get("/numbers/<name>")
    async def show(name: str) -> str:
        return await number_page(parts, name)

    return routes


async def number_page(
    parts: Parts,
    name: str,
    *,
    refused: str = "",
    phone: str = "",
    code: str = "",
    wrong: Mapping[str, str] | None = None,
    link: str = "",
    mended: Mapping[str, str] | None = None,
) -> str:
    """A number's page; ``refused``: what its last act ran into. ``code`` (for its phone) and ``link``: just made.

    ``mended``: settings that were typed to mend it, and are wrong.
    """
    row = await account_of(parts, name)
    sending, gets = await parts.targets.getting(row.id)
    refusals = await parts.refused(client_id=row.client_id, account_id=row.id)
    trouble = await _trouble(parts, row, sending, refusals)
    if not viewer().texts:
        row, refusals = without_text.number(row), [without_text.refusal(each) for each in refusals]
    gets = sorted((each if viewer().texts else without_text.target(each) for each in gets), key=worst)
    provider = parts.providers.get(row.provider)
    pairs = provider is not None and provider.pair_code is not None
    fields = trouble.get("fields", ()) if row.source != CONFIG else ()
    seen = {each.field for each in fields} | ({"phone"} if pairs else set())
    return parts.page(
        "number",
        "numbers",
        row=row,
        receivers_of=gets[:RECEIVERS],
        more=len(gets) - RECEIVERS,
        sending=sending,
        refused=refusals,
        live=f"page=number&{urlencode({'thing': row.name})}",
        actions=actions_of(provider),
        scans=provider is not None and provider.sessions,
        pair=pair_leaf(row) if pairs else None,
        way=row.provider if provider is None else provider.title,
        listens=provider is not None and provider.listens,
        callback=parts.providers.webhook_url(row.name) or f"{parts.origin()}/webhooks/{row.name}",
        did=refused or _unseen(wrong or {}, seen),
        asked={"phone": phone or row.phone},
        code=code,
        wrong=wrong or {},
        link=link,
        links=await parts.database.browse(list_links, "scan", row.id, parts.now()) if viewer().may_act else [],
        lasts=WORDS,
        **(trouble | ({"mended": mended} if mended else {})),
        **panel_of(parts, row, may_act=viewer().may_act),
    )


def _unseen(wrong: Mapping[str, str], seen: Collection[str]) -> str:
    """What is wrong with fields that the page does not show, as what they mend is over: that is said above it."""
    found = {field: detail for field, detail in wrong.items() if field not in seen}
    return " ".join(f"{label_of(field.removeprefix(BEFORE))}: {detail}" for field, detail in found.items() if field)


async def _trouble(
    parts: Parts, row: AccountRow, sending: TargetRow | None, refused: Sequence[RefusedRow]
) -> dict[str, Any]:
    """What is wrong with it, the settings that mend it with what is stored, and where they stand."""
    provider = parts.providers.get(row.provider)
    if provider is None:
        return {"troubles": []}
    stopped, failing = row.id in parts.stopped(), parts.failing()
    found = troubles(row, provider, sending=sending, stopped=stopped, failing=failing, refused=refused)
    fields, stored = mending(found), {}
    if fields and row.source != CONFIG and viewer().may_act:
        path = f"/api/accounts/{quote(row.name, safe='')}"
        stored = (await parts.api.call("GET", path, who=viewer())).expect()["settings"]
    return {
        "troubles": found,
        "fields": fields,
        "keys": [each.name for each in fields] + ["webhook_secret"] * any(each.secret for each in found),
        "table": table_of(row.name),
        "config_file": parts.config_file,
        "mended": shown(fields, stored),
    }


async def scan_panel(
    parts: Parts, name: str, *, client_id: int | None, may_act: bool, texts: bool = True
) -> dict[str, Markup]:
    """What moves on a number's page, above all the panel to scan from; nothing once the number is gone.

    ``texts``: with its engine's words.
    """
    row = await parts.database.browse(get_account, name, client_id=client_id)
    if row is None:
        return {}
    row = row if texts else without_text.number(row)
    values = panel_of(parts, row, may_act=may_act)
    words = leaves_of((), [row], (), parts.now())
    panel = Markup(render("scan", row=row, **values))  # noqa: S704  (a template's output)
    return {"scan": panel, "pair": pair_leaf(row), "again": leaf("again", values["state"].again), **words}


def panel_of(parts: Parts, row: AccountRow, *, may_act: bool) -> dict[str, Any]:
    """What the panel to scan from shows, and the button beside it."""
    code = code_of(parts, row, may_act=may_act)
    verb = restart_of(parts.providers.get(row.provider))
    state = linking(row, code=code["image"] is not None, can=bool(verb), acts=may_act)
    return {"mark_of": number_mark(row), "state": state, "verb": verb, **code}


def pair_leaf(row: AccountRow) -> Markup:
    """The heading of the card that links with a code; the card goes with it, once the number is connected."""
    return leaf("pair", "" if row.status is SessionStatus.SESSION_CONNECTED else "Can't scan? Link with a code")


def restart_of(provider: Provider | None) -> str:
    """By which of `actions_of` a session starts again; '': by none."""
    can = actions_of(provider)
    return next((each for each in ("restart", "start") if each in can), "")


def actions_of(provider: Provider | None) -> tuple[str, ...]:
    """What can be done with a number's session."""
    can = frozenset[str]() if provider is None or provider.control is None else provider.abilities
    return tuple(each for each in SESSION_ACTIONS if each in can)


async def account_of(parts: Parts, name: str) -> AccountRow:
    """The viewer's number of this name. NotFoundError."""
    row = await parts.database.browse(get_account, name, client_id=viewer().client_id)
    if row is None:
        raise NotFoundError("no such number")
    return row


def code_of(parts: Parts, row: AccountRow, *, may_act: bool = True) -> dict[str, Any]:
    """The code to scan and how long it lasts; one that has lapsed is gone at once."""
    waits = may_act and row.status == SessionStatus.QR_GENERATED and row.qr_at is not None
    left = (row.qr_at + QR_LIFE - parts.now()).total_seconds() if waits and row.qr_at is not None else 0.0
    provider = parts.providers.get(row.provider)
    return {
        "notice": "" if provider is None else provider.notice,
        "image": qr_image(row.qr) if left > 0 else None,
        "left": int(left),
        "life": int(QR_LIFE.total_seconds()),
        "steps": STEPS,
    }
