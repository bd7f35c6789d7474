"""WAHA's verbs for a session: start, stop, restart, logout, and a code to link a number."""

from __future__ import annotations

import msgspec
from quart import Blueprint

from wagate.context.sessions import AccountSessions
from wagate.errors import BadGatewayError, NotFoundError, SendError
from wagate.hooks.routes import acts_on, endpoint
from wagate.hooks.sessions import SESSION_ACTIONS
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.accounts import get_account
from wagate.web.access.identity import RequestAuth
from wagate.web.api.accounts import Phone, digits
from wagate.web.sessions.control import pair_code, session_control_routes
from wagate.web.waha.sessions import SessionInfo, session_info, waha_sessions_routes


def session_verbs(
    auth: RequestAuth, database: Database, providers: Providers, states: AccountSessions
) -> tuple[Blueprint, ...]:
    """All that looks at sessions as WAHA's clients do, or changes them."""
    return (
        waha_sessions_routes(auth, database, providers, states),
        waha_control_routes(auth, database, providers, states),
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
        return RequestCodeAnswer(code=await pair_code(states, session, phone, client_id=auth.identity().client_id))

    def add(action: str) -> None:
        @routes.post(f"/sessions/<session>/{action}", endpoint=action)
        @endpoint(answers={200: SessionInfo}, problems=(404, 502), act=f"{action} session")
        async def act(session: str) -> SessionInfo:
            client_id = auth.identity().client_id
            try:
                await states.control(session, action, client_id=client_id)
            except SendError as error:
                raise BadGatewayError(f"{action}: {error.reason}") from error
            except NotFoundError as error:
                raise NotFoundError("Session not found") from error
            row = await database.read(get_account, session, client_id=client_id)
            acts_on(row.name, owner=row.client_id)
            return session_info(row, providers)

    for action in SESSION_ACTIONS:
        add(action)
    return routes
