"""Numbers: what is connected, and the code to scan for what is not."""

from __future__ import annotations

from urllib.parse import urlencode

from markupsafe import Markup
from quart import Blueprint

from wagate.errors import NotFoundError
from wagate.events import SessionStatus
from wagate.inbound.qr_image import qr_image
from wagate.storage.owners.accounts import QR_LIFE, get_account, list_accounts
from wagate.storage.rows import AccountRow
from wagate.web.ui.leaves import number_mark
from wagate.web.ui.parts import Parts, viewer
from wagate.web.ui.render import render

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
        rows = await parts.database.browse(list_accounts, client_id=viewer().client_id)
        return parts.page("numbers", "numbers", rows=[_shown(row) for row in sorted(rows, key=lambda each: each.name)])

    @routes.get("/numbers/<name>")
    async def show(name: str) -> str:
        row = await _account(parts, name)
        everything = await parts.targets.all(client_id=row.client_id)
        receivers = [each for each in everything if _concerns(each.id)]
        sending = next((each for each in everything if each.id == f"outbound:{row.id}"), None)
        return parts.page(
            "number",
            "numbers",
            row=row,
            mark_of=number_mark(row),
            receivers_of=receivers,
            sending=sending,
            refused=await parts.refused(client_id=row.client_id, account_id=row.id),
            live=f"page=number&{urlencode({'thing': row.name})}",
            **_code(parts, row),
        )

    return routes


async def scan_panel(parts: Parts, name: str, *, client_id: int | None) -> dict[str, Markup]:
    """The panel to scan from, for who watches the number's page; nothing once the number is gone."""
    row = await parts.database.browse(get_account, name, client_id=client_id)
    if row is None:
        return {}
    panel = render("scan", row=row, mark_of=number_mark(row), **_code(parts, row))
    return {"scan": Markup(panel)}  # noqa: S704  (a template's output)


async def _account(parts: Parts, name: str) -> AccountRow:
    row = await parts.database.browse(get_account, name, client_id=viewer().client_id)
    if row is None:
        raise NotFoundError("no such number")
    return row


def _code(parts: Parts, row: AccountRow) -> dict[str, object]:
    """The code to scan and how long it lasts; one that has lapsed is taken away at once."""
    waits = row.status == SessionStatus.QR_GENERATED and row.qr_at is not None
    left = (row.qr_at + QR_LIFE - parts.now()).total_seconds() if waits and row.qr_at is not None else 0.0
    return {
        "image": qr_image(row.qr) if left > 0 else None,
        "left": int(left),
        "life": int(QR_LIFE.total_seconds()),
        "steps": STEPS,
    }


def _shown(row: AccountRow) -> tuple[AccountRow, tuple[str, str]]:
    return row, number_mark(row)


def _concerns(target_id: str) -> bool:
    return not target_id.startswith("outbound:")
