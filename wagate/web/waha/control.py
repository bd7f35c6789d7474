"""WAHA's verbs for a session: start, stop, restart, logout, and a code to link a number."""

from __future__ import annotations

import msgspec
from quart import Blueprint

from wagate.context.sessions import AccountSessions
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.sessions import SESSION_ACTIONS
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.web.access.identity import RequestAuth
from wagate.web.api.accounts import Phone, digits
from wagate.web.sessions.routes import pair_code, session_control_routes
from wagate.web.ui.own_api import OwnApi
from wagate.web.waha.manage import waha_manage_routes
from wagate.web.waha.session_hooks import SessionHooks
from wagate.web.waha.sessions import SessionInfo, control, find_session, session_info, waha_sessions_routes


def session_verbs(
    auth: RequestAuth, database: Database, providers: Providers, states: AccountSessions, api: OwnApi
) -> tuple[Blueprint, ...]:
    """All that looks at sessions as WAHA's clients do, or changes them."""
    hooks = SessionHooks(api, auth)
    return (
        waha_sessions_routes(auth, database, providers, states, hooks),
        waha_control_routes(auth, database, providers, states),
        waha_manage_routes(auth, database, providers, states, hooks),
        session_control_routes(auth, states),
    )


class RequestCodeBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whose phone links us."""

    phone_number: Phone


class RequestCodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A code to link a number."""

    code: str


def waha_control_routes(
    auth: RequestAuth, database: Database, providers: Providers, states: AccountSessions
) -> Blueprint:
    """What changes a session."""
    routes = Blueprint("waha_control", __name__, url_prefix="/api")

    @routes.post("/<session>/auth/request-code")
    @endpoint(body=RequestCodeBody, answers={200: RequestCodeAnswer}, problems=(404, 502), act="ask for a code")
    async def request_code(session: str, body: RequestCodeBody) -> RequestCodeAnswer:
        """A code that links the number, typed on its phone."""
        phone = digits(body.phone_number)
        row = await find_session(auth, database, session)
        return RequestCodeAnswer(code=await pair_code(states, row.name, phone, client_id=auth.identity().client_id))

    def add(action: str) -> None:
        @routes.post(f"/sessions/<session>/{action}", endpoint=action)
        @endpoint(answers={200: SessionInfo}, problems=(404, 422, 502), act=f"{action} session")
        async def act(session: str) -> SessionInfo:
            row = await find_session(auth, database, session)
            await control(states, row.name, action)
            acts_on(row.name, owner=row.client_id)
            return session_info(await find_session(auth, database, row.name), providers)

    for action in SESSION_ACTIONS:
        add(action)
    return routes
