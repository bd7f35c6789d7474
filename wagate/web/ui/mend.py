"""On a number's page: what is wrong with it, with the field that mends it, and what comes of a new value."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import quote

from quart import Blueprint, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import NotFoundError
from wagate.storage.deliveries.survey import SENDING
from wagate.storage.rows import AccountRow
from wagate.web.ui.account_fields import fields_of, settings_in, wrong_fields
from wagate.web.ui.number_new import API
from wagate.web.ui.numbers import account_of, number_page
from wagate.web.ui.parts import Parts, back, viewer
from wagate.web.ui.receivers import probe_outcome
from wagate.web.ui.trouble import TOKEN

EMPTY: Final = "Nothing was given. Type the new value."
Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """``/ui/numbers/<name>/mend``."""
    routes = Blueprint("mend", __name__)

    @routes.post("/numbers/<name>/mend")
    async def mend(name: str) -> Page | WerkzeugResponse:
        row, form = await account_of(parts, name), await request.form
        provider = parts.providers.get(row.provider)
        fields = () if provider is None else fields_of(provider)
        given = tuple(each for each in fields if form.get(each.field, "").strip())
        if not given:
            empty = {each.field: EMPTY for each in fields if each.field in form}
            return await number_page(parts, name, refused="" if empty else EMPTY, wrong=empty), 422
        body = {"settings": settings_in(form, given, {each.name: None for each in given})}
        changed = await parts.api.call("PATCH", f"{API}/{quote(name, safe='')}", body, who=viewer())
        if changed.wrong:
            wrong = wrong_fields(changed.wrong, fields)
            typed = {each.field: form.get(each.field, "") for each in given if each.kind != "secret"}
            return await number_page(parts, name, refused=wrong.get("", ""), wrong=wrong, mended=typed), 422
        await parts.note("change number", name, f"new: {', '.join(each.label for each in given)}", owner=row.client_id)
        return back(f"/ui/numbers/{quote(name, safe='')}", await _came_of_it(parts, row))

    return routes


async def _came_of_it(parts: Parts, row: AccountRow) -> str:
    """Ask the provider, and send what waits: nobody is shown a success that did not happen."""
    lines = await parts.examine(part=f"account {row.name}")
    outcome = ""
    with suppress(NotFoundError):  # nothing was ever sent
        outcome = await probe_outcome(parts, await parts.targets.probe(f"{SENDING}{row.id}", client_id=None))
    if outcome == "still" or any(each.level == "fail" for each in lines):
        return "stillwrong"
    took = any(each.what == TOKEN and each.level == "ok" for each in lines)
    doubt = any(each.level == "warn" for each in lines)  # as "unavailable now"
    return "accepted" if outcome == "up" or (took and not doubt) else "unshown"
