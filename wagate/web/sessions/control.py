"""Sessions from outside: a code to link a number, and WAHA's start, stop, restart and logout."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Blueprint

from wagate.context.sessions import AccountSessions
from wagate.errors import BadGatewayError, NotFoundError, SendError
from wagate.hooks.routes import endpoint
from wagate.hooks.sessions import SESSION_ACTIONS
from wagate.web.access.identity import RequestAuth
from wagate.web.api.accounts import Phone, digits
from wagate.web.sessions.routes import PREFIX


class PairCodeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose phone links us."""

    phone: Phone


class PairCode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The code to be typed on the phone."""

    session_id: str
    code: str
    """Type it on the phone: Settings, Linked devices, Link with phone number instead."""


class PairCodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A code to link a number."""

    success: Literal[True] = True
    data: PairCode


class RequestCodeBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The same as WAHA writes it."""

    phone_number: Phone


class RequestCodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A code to link a number, as WAHA answers it."""

    code: str


def session_control_routes(auth: RequestAuth, states: AccountSessions) -> Blueprint:
    """What changes a session."""
    routes = Blueprint("session_control", __name__)

    async def pair_code(name: str, phone: str) -> str:
        try:
            return await states.pair_code(name, phone, client_id=auth.identity().client_id)
        except SendError as error:
            raise BadGatewayError(f"there is no code: {error.reason}") from error
        except NotFoundError as error:
            raise NotFoundError(f"no session {name[:100]!r}") from error

    @routes.post(f"{PREFIX}/<session_id>/pair-code")
    @endpoint(body=PairCodeBody, answers={200: PairCodeAnswer}, problems=(404, 502))
    async def link(session_id: str, body: PairCodeBody) -> PairCodeAnswer:
        """A code that links the number, typed on its phone instead of scanning the QR code."""
        code = await pair_code(session_id, digits(body.phone))
        return PairCodeAnswer(data=PairCode(session_id=session_id, code=code))

    @routes.post("/api/<session>/auth/request-code")
    @endpoint(body=RequestCodeBody, answers={200: RequestCodeAnswer}, problems=(404, 502))
    async def request_code(session: str, body: RequestCodeBody) -> RequestCodeAnswer:
        """The same at WAHA's path."""
        return RequestCodeAnswer(code=await pair_code(session, digits(body.phone_number)))

    def add(action: str) -> None:
        @routes.post(f"/api/sessions/<session>/{action}", endpoint=action)
        @endpoint(answers={200: ActionAnswer}, problems=(404, 502))
        async def act(session: str) -> ActionAnswer:
            try:
                await states.control(session, action, client_id=auth.identity().client_id)
            except SendError as error:
                raise BadGatewayError(f"{action}: {error.reason}") from error
            except NotFoundError as error:
                raise NotFoundError("Session not found") from error
            return ActionAnswer(name=session)

    for action in SESSION_ACTIONS:
        add(action)
    return routes


class ActionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The provider took it; the new state comes as ``session.status``."""

    name: str
    """The session's."""
