"""WAHA's apps: inboxes of the connector for Chatwoot, which is asked through our own API; there are no others.

Source: WAHA's OpenAPI document, https://waha.devlike.pro/swagger/, ``App``; languages as its source answers them
(``chatwoot.locales.controller.ts``).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wagate.errors import NotFoundError, NotSupportedError, UnprocessableError
from wagate.hooks.routes import acts_on
from wagate.web.waha.desk import Call, Row

CHATWOOT: Final = "chatwoot"
INBOXES: Final = "/plugins/chatwoot/inboxes"
OTHERS: Final = {
    "calls": "calls come as events; POST /api/{session}/calls/reject refuses one",
    "mcp": "wagate has no MCP server",
}
NOT_INSTALLED: Final = "the connector for Chatwoot does not run here: [plugins.chatwoot] in config.toml"
IN_CONFIG: Final = "inboxes are tables of config.toml, and begin and end with a restart"


class AppsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which session."""

    session: str | None = None


class AppBody(msgspec.Struct, frozen=True, kw_only=True):
    """An app; WAHA's n8n node sends null and '' for what nobody filled in."""

    id: str | None = None
    session: str | None = None
    app: str | None = None
    enabled: bool | None = None
    config: dict[str, Any] | None = None


async def _list(call: Call) -> Any:
    session = call.query.session
    name = call.desk.account(session).name if session else None
    shown = [_app(call, each) for each in await _inboxes(call)]
    return [{**each, "session": name or each["session"]} for each in shown if name is None or name in _sessions(each)]


async def _show(call: Call) -> Any:
    return _app(call, await _inbox(call))


async def _create(call: Call) -> Any:
    _check_kind(call.body)
    raise NotSupportedError(f"{IN_CONFIG}: wagate chatwoot connect makes one")


async def _update(call: Call) -> Any:
    """Let it work, or wait. NotFoundError; UnprocessableError: something else than that would change."""
    body: AppBody = call.body
    _check_kind(body)
    inbox = await _inbox(call)
    app = _app(call, inbox)
    if body.id and body.id != app["id"]:
        raise UnprocessableError("an app keeps its id", field="id")
    if body.session and call.desk.account(body.session).name not in _sessions(app):
        raise UnprocessableError(f"this inbox does not show {body.session[:100]}: {IN_CONFIG}", field="session")
    for name, value in (body.config or {}).items():
        if value is not None and value not in ("", app["config"].get(name)):
            raise UnprocessableError(
                f"set it in [plugins.chatwoot.inboxes.{app['id']}] of config.toml, and run wagate reload",
                field=f"config.{name}"[:200],
            )
    if body.enabled is None or body.enabled == app["enabled"]:
        return app
    answered = await call.desk.own.call("PATCH", f"{INBOXES}/{app['id']}", {"paused": not body.enabled})
    act = "resume inbox" if body.enabled else "pause inbox"
    acts_on(f"{CHATWOOT}:{app['id']}", owner=inbox["client_id"], act=act)
    return _app(call, answered.expect())


async def _delete(call: Call) -> Any:
    name = (await _inbox(call))["inbox"]
    raise NotSupportedError(f"{IN_CONFIG}: take [plugins.chatwoot.inboxes.{name}] out, or set enabled to false")


async def _locales(call: Call) -> Any:
    answered = await call.desk.own.call("GET", "/plugins/chatwoot/locales")
    if answered.status == NotFoundError.status:
        raise NotSupportedError(NOT_INSTALLED)
    return answered.expect()["data"]


async def _inboxes(call: Call) -> list[dict[str, Any]]:
    """Those that the token may see; none where the connector does not run."""
    answered = await call.desk.own.call("GET", INBOXES)
    return [] if answered.status == NotFoundError.status else list(answered.expect()["data"])


async def _inbox(call: Call) -> dict[str, Any]:
    """The one that the path names. NotFoundError."""
    found = [each for each in await _inboxes(call) if each["inbox"] == call.parts["id"]]
    if not found:
        raise NotFoundError("App not found")
    return found[0]


def _app(call: Call, inbox: dict[str, Any]) -> dict[str, Any]:
    """In WAHA's form, without the token and the secret; ``session`` is null when it shows several."""
    owned = call.desk.live.now.by_client.get(inbox["client_id"], ())
    sessions = inbox["accounts"] or [each.name for each in owned]
    return {
        "id": inbox["inbox"],
        "session": sessions[0] if len(sessions) == 1 else None,
        "app": CHATWOOT,
        "enabled": not inbox["paused"],
        "config": {
            "url": inbox["url"],
            "accountId": inbox["account_id"],
            "inboxId": inbox["inbox_id"],
            "locale": inbox["locale"],
        },
        "_data": {"sessions": sessions},
    }


def _sessions(app: dict[str, Any]) -> list[str]:
    sessions: list[str] = app["_data"]["sessions"]
    return sessions


def _check_kind(body: AppBody) -> None:
    """UnprocessableError: it is no app of ours."""
    if (body.app or CHATWOOT) != CHATWOOT:
        why = OTHERS.get(body.app or "", "wagate has the app chatwoot only")
        raise UnprocessableError(why, field="app")


APPS = (
    Row(verb="GET /apps", doc="Inboxes that show a session.", handle=_list, query=AppsQuery, sessionless=True),
    Row(verb="POST /apps", doc="Not possible.", handle=_create, body=AppBody, sessionless=True),
    Row(verb="GET /apps/chatwoot/locales", doc="Languages of our texts.", handle=_locales, sessionless=True),
    Row(verb="GET /apps/{id}", doc="An inbox.", handle=_show, sessionless=True),
    Row(verb="PUT /apps/{id}", doc="Pause, or resume.", handle=_update, body=AppBody, sessionless=True),
    Row(verb="DELETE /apps/{id}", doc="Not possible.", handle=_delete, sessionless=True),
)
