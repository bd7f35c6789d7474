"""A code to link a number, typed on its phone instead of scanning a QR code."""

from __future__ import annotations

from typing import Literal

import msgspec
from quart import Blueprint

from wagate.context.sessions import AccountSessions
from wagate.errors import BadGatewayError, SendError, SendRefusedError, UnprocessableError
from wagate.hooks.routes import endpoint
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


def session_control_routes(auth: RequestAuth, states: AccountSessions) -> Blueprint:
    """What links a number."""
    routes = Blueprint("session_control", __name__)

    @routes.post(f"{PREFIX}/<session_id>/pair-code")
    @endpoint(body=PairCodeBody, answers={200: PairCodeAnswer}, problems=(404, 422, 502), act="ask for a code")
    async def link(session_id: str, body: PairCodeBody) -> PairCodeAnswer:
        """A code that links the number, typed on its phone instead of scanning the QR code."""
        code = await pair_code(states, session_id, digits(body.phone), client_id=auth.identity().client_id)
        return PairCodeAnswer(data=PairCode(session_id=session_id, code=code))

    return routes


async def pair_code(states: AccountSessions, name: str, phone: str, *, client_id: int | None) -> str:
    """The code. NotFoundError; UnprocessableError: not of this provider, or not now; BadGatewayError: there is none."""
    try:
        return await states.pair_code(name, phone, client_id=client_id)
    except SendRefusedError as error:
        raise UnprocessableError(f"there is no code: {error.reason}") from error
    except SendError as error:
        raise BadGatewayError(f"there is no code: {error.reason}") from error
