"""Webhooks: add, change, test with the outcome, switch off, delete; new secrets are shown once. All by the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from quart import Blueprint, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.clock import Clock
from wagate.errors import NotFoundError
from wagate.web.ui.forms import form_key, number_in
from wagate.web.ui.parts import Parts, back, viewer
from wagate.web.ui.words import EVENTS

API: Final = "/api/webhooks"
PATIENCE: Final = 10.0
"""Seconds that a test is waited for."""
LOOK: Final = 0.2
"""Seconds between looks meanwhile."""
FORMATS: Final = (
    ("flat", "flat: wagate's own, one level"),
    ("standard", "standard: type, timestamp, data"),
    ("waha", "waha: as WAHA sends it"),
)
NUMBERS: Final = (("max_retries", int), ("timeout", float), ("rate", float), ("burst", int))
"""Fields that hold numbers; empty is the default."""
MISSING: Final = (
    ("", "fails, but for n8n's own, which waits"),
    ("true", "waits, as for a receiver that is down"),
    ("false", "fails permanently, n8n's too"),
)
"""What a 404 means: the option ``retry_not_found``."""
CHOICES: Final = {"": None, "true": True, "false": False}
TEXTS: Final = (
    "name",
    "phone_number",
    "webhook_url",
    "format",
    "max_retries",
    "timeout",
    "rate",
    "burst",
    "headers",
    "retry_not_found",
)
Form = MultiDict[str, str]
Page = str | tuple[str, int]


def pages(parts: Parts) -> Blueprint:
    """``/ui/webhooks``."""
    routes = Blueprint("webhooks", __name__)
    _add_lists(routes, parts)
    _add_acts(routes, parts)

    @routes.get("/webhooks/<uuid:webhook_id>")
    async def show(webhook_id: object) -> str:
        return await _show(parts, str(webhook_id))

    @routes.post("/webhooks/<uuid:webhook_id>")
    async def change(webhook_id: object) -> Page | WerkzeugResponse:
        form = await request.form
        body, wrong = body_of(form)
        if not wrong:
            found = await parts.api.call("PATCH", f"{API}/{webhook_id}", body, who=viewer())
            if found.status == NotFoundError.status:
                found.expect()
            wrong = found.wrong
        if wrong:
            return await _show(parts, str(webhook_id), asked=typed(form), wrong=wrong), 422
        await note(parts, "change webhook", found.data)
        return back(f"/ui/webhooks/{webhook_id}", "saved")

    return routes


def _add_lists(routes: Blueprint, parts: Parts) -> None:
    @routes.get("/webhooks")
    async def index() -> str:
        cursor = request.args.get("before", "")
        found = await parts.api.call("GET", f"{API}/list", who=viewer(), query={"cursor": cursor})
        on = found.status != NotFoundError.status
        page = found.expect() if on else {"data": [], "next_cursor": None}
        standing = await parts.targets.standings([f"webhook:{row['id']}" for row in page["data"]])
        return parts.page("webhooks", "webhooks", page=page, standing=standing, on=on)

    @routes.get("/webhooks/new")
    async def new() -> str:
        return _new(parts, {"phone_number": "*", "events": ["message"], "format": "flat"} | request.args.to_dict(), {})

    @routes.post("/webhooks/new")
    async def add() -> Page:
        form = await request.form
        body, wrong = body_of(form)
        if viewer().identity.admin and form.get("tenant_id"):
            body["tenant_id"] = form["tenant_id"]
        if not wrong:
            made = await parts.api.call("POST", f"{API}/register", body, who=viewer(), key=form_key(form))
            wrong = made.wrong
        if wrong:
            return _new(parts, typed(form), wrong), 422
        if not made.replayed:
            await note(parts, "add webhook", made.data)
        return await _show(parts, made.data["id"], secret=made.data["secret"])


def _add_acts(routes: Blueprint, parts: Parts) -> None:
    @routes.post("/webhooks/<uuid:webhook_id>/toggle")
    async def toggle(webhook_id: object) -> WerkzeugResponse:
        to = (await request.form).get("active") == "on"
        found = await parts.api.call("POST", f"{API}/{webhook_id}/toggle", {"is_active": to}, who=viewer())
        await note(parts, "switch on" if to else "switch off", found.expect())
        return back(f"/ui/webhooks/{webhook_id}", "on" if to else "off")

    @routes.post("/webhooks/<uuid:webhook_id>/rotate")
    async def rotate(webhook_id: object) -> str:
        key = form_key(await request.form)
        found = await parts.api.call("POST", f"{API}/{webhook_id}/rotate-secret", {}, who=viewer(), key=key)
        row = found.expect()
        if not found.replayed:
            await note(parts, "new secret", row)
        return await _show(parts, str(webhook_id), secret=row["secret"])

    @routes.post("/webhooks/<uuid:webhook_id>/test")
    async def test(webhook_id: object) -> Page | WerkzeugResponse:
        delivery_id, refused = await send_test(parts, str(webhook_id))
        if refused:
            return await _show(parts, str(webhook_id), refused=refused), 409
        return back(f"/ui/webhooks/{webhook_id}?tried={quote(delivery_id)}#test")

    @routes.post("/webhooks/<uuid:webhook_id>/delete")
    async def delete(webhook_id: object) -> Page | WerkzeugResponse:
        row = await row_of(parts, str(webhook_id))
        if (await request.form).get("typed", "").strip() != label(row):
            wrong = {"typed": f"Type {label(row)} to confirm that you want to delete it."}
            return await _show(parts, str(webhook_id), wrong=wrong), 422
        (await parts.api.call("DELETE", f"{API}/{webhook_id}", who=viewer())).expect()
        await note(parts, "delete webhook", row)
        return back("/ui/webhooks", "deleted")


def label(row: Mapping[str, Any]) -> str:
    """What people call it."""
    return str(row["name"] or row["webhook_url"])


def body_of(form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """What the API takes, and what is wrong before it is asked. Headers stay as they are when none are given."""
    body: dict[str, Any] = {name: form.get(name, "").strip() for name in ("name", "phone_number", "webhook_url")}
    body |= {"format": form.get("format", "flat"), "events": form.getlist("events")}
    wrong: dict[str, str] = {}
    for name, kind in NUMBERS:
        body[name], why = number_in(form.get(name, ""), kind)
        if why:
            wrong[name] = why
    missing = form.get("retry_not_found", "")
    body["retry_not_found"] = CHOICES.get(missing)
    if missing not in CHOICES:
        wrong["retry_not_found"] = "Choose one of the three."
    lines = [line.partition(":") for line in form.get("headers", "").splitlines() if line.strip()]
    if any(not colon for _, colon, _ in lines):
        wrong["headers"] = "Write one header a line, as Name: value."
    elif lines or form.get("no_headers"):
        body["headers"] = {name.strip(): value.strip() for name, _, value in lines}
    return body, wrong


def typed(form: Form) -> dict[str, Any]:
    """What somebody typed, for the form to show again."""
    return {name: form.get(name, "") for name in (*TEXTS, "tenant_id")} | {"events": form.getlist("events")}


def _new(parts: Parts, asked: Mapping[str, Any], wrong: Mapping[str, str]) -> str:
    return parts.page("webhook_new", "webhooks", **_choices(parts, asked, wrong))


def _choices(parts: Parts, asked: Mapping[str, Any], wrong: Mapping[str, str]) -> dict[str, Any]:
    """What the form is made of. Events that have no words here are offered by their names, so that none is lost."""
    mine, chosen = viewer().client_id, list(asked["events"])
    seen = [each for each in parts.live.now.accounts.values() if mine in {None, each.client_id}]
    return {
        "asked": asked,
        "wrong": wrong,
        "formats": FORMATS,
        "missing": MISSING,
        "events": {**EVENTS, **{each: each for each in chosen if each not in EVENTS}},
        "accounts": sorted(seen, key=lambda each: each.name),
        "clients": sorted(each.slug for each in parts.live.now.clients.values()) if mine is None else [],
    }


async def _show(
    parts: Parts,
    webhook_id: str,
    *,
    asked: Mapping[str, Any] | None = None,
    wrong: Mapping[str, str] | None = None,
    secret: str = "",
    refused: str = "",
) -> str:
    row = await row_of(parts, webhook_id)
    stored = {name: _text(row.get(name)) for name in TEXTS} | {"events": row["events"]}
    return parts.page(
        "webhook",
        "webhooks",
        row=row,
        label=label(row),
        target=await parts.targets.get(f"webhook:{webhook_id}", client_id=viewer().client_id),
        secret=secret,
        refused=refused,
        tried=await tried_of(parts, webhook_id, request.args.get("tried", "")),
        **_choices(parts, stored if asked is None else asked, wrong or {}),
    )


def _text(value: object) -> object:
    """As a field shows it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


async def row_of(parts: Parts, webhook_id: str) -> dict[str, Any]:
    """The viewer's webhook, as the API shows it. NotFoundError."""
    row: dict[str, Any] = (await parts.api.call("GET", f"{API}/{webhook_id}", who=viewer())).expect()
    return row


async def tried_of(parts: Parts, webhook_id: str, delivery_id: str) -> dict[str, Any] | None:
    """The test that the page speaks of, as the connector tells of it: what was sent, and what came back.

    None: there is none, or the connector can't tell at the moment.
    """
    if not delivery_id:
        return None
    found = await parts.api.call("GET", f"{API}/{webhook_id}/events", who=viewer(), query={"limit": 20})
    listed = found.data["data"] if found.status < 400 else ()
    return next((each for each in listed if each["id"] == delivery_id), None)


async def send_test(parts: Parts, webhook_id: str) -> tuple[str, str]:
    """Send one, and wait for its outcome: the delivery's id, or why it was refused. NotFoundError."""
    sent = await parts.api.call("POST", f"{API}/{webhook_id}/test", who=viewer())
    if sent.status == NotFoundError.status:
        sent.expect()
    if sent.wrong:
        return "", sent.wrong[""]
    await note(parts, "test webhook", await row_of(parts, webhook_id))
    await _outcome(parts, str(sent.data["event_id"]), parts.clock)
    return str(sent.data["event_id"]), ""


async def _outcome(parts: Parts, delivery_id: str, clock: Clock) -> None:
    """Wait until it was tried, or for `PATIENCE`."""
    until = clock.monotonic() + PATIENCE
    while clock.monotonic() < until:
        one = await parts.deliveries.get(delivery_id, client_id=viewer().client_id)
        if one.attempts:
            return
        await clock.sleep(LOOK)


async def note(parts: Parts, action: str, row: Mapping[str, Any]) -> None:
    """Write down what was done to a webhook."""
    await parts.note(action, f"webhook:{row['id']}", label(row), owner=row["client_id"])
