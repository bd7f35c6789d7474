"""What a person does to a number: its settings, start and stop, a code instead of a scan, delete. All by the API."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from quart import Blueprint, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import NotFoundError
from wagate.web.ui.account_fields import CURES, SettingField, fields_of, settings_in, shown, typed, wrong_fields
from wagate.web.ui.first_run import first_page, first_run_path
from wagate.web.ui.forms import number_in
from wagate.web.ui.number_new import API, callback, keep_secrets, kept_secrets, way_of
from wagate.web.ui.numbers import number_page
from wagate.web.ui.parts import Parts, back, viewer

IGNORED: Final = {"groups": "Groups", "status": "Status posts", "broadcast": "Broadcasts", "channels": "Channels"}
"""Kinds of chats that may be left out."""
SHARES: Final = ("weight", "position")
Form = MultiDict[str, str]
Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """Below ``/ui/numbers/<name>``."""
    routes = Blueprint("number_acts", __name__)
    _add_settings(routes, parts)
    _add_acts(routes, parts)

    @routes.post("/numbers/<name>/delete")
    async def delete(name: str) -> Page | WerkzeugResponse:
        row = await _account(parts, name)
        if (await request.form).get("typed", "").strip() != name:
            wrong = {"typed": f"Type {name} to confirm that you want to delete it."}
            return await _show(parts, row, wrong=wrong), 422
        gone = await parts.api.call("DELETE", api_path(name), who=viewer())
        if gone.wrong:
            return await _show(parts, row, wrong=gone.wrong), 409
        await parts.note("delete number", name, row["provider"], owner=row["client_id"])
        return back("/ui/numbers", "numbergone")

    return routes


def _add_settings(routes: Blueprint, parts: Parts) -> None:
    @routes.get("/numbers/<name>/settings")
    async def settings(name: str) -> str:
        return await _show(parts, await _account(parts, name))

    @routes.post("/numbers/<name>/settings")
    async def change(name: str) -> Page | WerkzeugResponse:
        form, row = await request.form, await _account(parts, name)
        fields = _fields(parts, row)
        hidden = kept_secrets(parts, form, fields)
        body, wrong = _body(MultiDict({**form.to_dict(), **hidden}), fields, row["settings"])
        if not wrong:
            changed = await parts.api.call("PATCH", api_path(name), body, who=viewer())
            wrong = wrong_fields(changed.wrong, fields)
        if wrong:
            return await _show(parts, row, asked=_typed(form, fields), wrong=wrong, hidden=hidden), 422
        new = ", ".join(each.label for each in fields if each.field in hidden)
        await parts.note("change number", name, f"new: {new}" if new else "", owner=row["client_id"])
        return back(f"/ui/numbers/{quote(name, safe='')}", "saved")

    @routes.post("/numbers/<name>/secret")
    async def new_secret(name: str) -> Page:
        row, secret = await _account(parts, name), secrets.token_urlsafe(32)
        changed = await parts.api.call("PATCH", api_path(name), {"webhook_secret": secret}, who=viewer())
        if changed.wrong:
            return await _show(parts, row, wrong={"": next(iter(changed.wrong.values()))}), 409
        await parts.note("new webhook secret", name, owner=row["client_id"])
        return await _show(parts, row, secret=secret)


def _add_acts(routes: Blueprint, parts: Parts) -> None:
    @routes.post("/numbers/<name>/<any(start,stop,restart,logout):action>")
    async def control(name: str, action: str) -> Page | WerkzeugResponse:
        row, to = await _account(parts, name), (await request.form).get("to", "")
        done = await parts.api.call("POST", f"/api/sessions/{quote(name, safe='')}/{action}", who=viewer())
        if done.wrong:
            why = next(iter(done.wrong.values()))
            first = to == first_run_path(name)
            return await (first_page(parts, name, did=why) if first else number_page(parts, name, refused=why)), 409
        await parts.note(action, f"number:{name}", owner=row["client_id"])
        return back(to or f"/ui/numbers/{quote(name, safe='')}", "acted")

    @routes.post("/numbers/<name>/code")
    async def code(name: str) -> Page:
        row, phone = await _account(parts, name), (await request.form).get("phone", "").strip()
        made = await parts.api.call(
            "POST", f"/api/whatsapp/session/{quote(name, safe='')}/pair-code", {"phone": phone}, who=viewer()
        )
        if made.wrong:
            why = CURES["phone"] if "phone" in made.wrong else next(iter(made.wrong.values()))
            return await number_page(parts, name, phone=phone, wrong={"phone": why}), 422
        await parts.note("pairing code", f"number:{name}", owner=row["client_id"])
        return await number_page(parts, name, phone=phone, code=str(made.data["data"]["code"]))


def api_path(name: str) -> str:
    """In the API."""
    return f"{API}/{quote(name, safe='')}"


async def _account(parts: Parts, name: str) -> dict[str, Any]:
    if "/" in name or name in {".", ".."}:
        raise NotFoundError("no such number")
    row: dict[str, Any] = (await parts.api.call("GET", api_path(name), who=viewer())).expect()
    return row


def _fields(parts: Parts, row: Mapping[str, Any]) -> tuple[SettingField, ...]:
    provider = parts.providers.get(row["provider"])
    return () if provider is None else fields_of(provider)


def _body(
    form: Form, fields: tuple[SettingField, ...], stored: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the API takes, and what is wrong before it is asked."""
    body: dict[str, Any] = {
        "phone": form.get("phone", "").strip() or None,
        "ignore": {name: form.get(f"ignore.{name}") == "on" for name in IGNORED},
    }
    wrong: dict[str, str] = {}
    for name in SHARES:
        number, why = number_in(form.get(name, ""), int)
        if why:
            wrong[name] = why
        elif number is not None:
            body[name] = number
    if fields and (changed := settings_in(form, fields, stored)):
        body["settings"] = changed
    return body, wrong


def _typed(form: Form, fields: tuple[SettingField, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {name: form.get(name, "") for name in ("phone", *SHARES)}
    return found | {f"ignore.{name}": form.get(f"ignore.{name}") == "on" for name in IGNORED} | typed(form, fields)


async def _show(
    parts: Parts,
    row: Mapping[str, Any],
    *,
    asked: Mapping[str, Any] | None = None,
    wrong: Mapping[str, str] | None = None,
    hidden: Mapping[str, str] | None = None,
    secret: str = "",
) -> str:
    fields = _fields(parts, row)
    kept, held = keep_secrets(parts, hidden or {})
    stored = {name: row.get(name) if row.get(name) is not None else "" for name in ("phone", *SHARES)}
    stored |= {f"ignore.{name}": bool(row["ignore"].get(name)) for name in IGNORED} | shown(fields, row["settings"])
    provider = parts.providers.get(row["provider"])
    return parts.page(
        "number_settings",
        "numbers",
        row=row,
        fields=fields,
        stored={name: value for name, value in row["settings"].items() if value},
        asked=stored if asked is None else asked,
        wrong=wrong or {},
        kept=kept,
        held=held,
        ignored=IGNORED,
        secret=secret,
        callback=callback(parts, row["name"]),
        way=None if provider is None else way_of(provider),
    )
