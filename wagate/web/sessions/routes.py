"""``/api/whatsapp/session``: what sessions look like, as a page polls them, and a code to link a number.

Source: spec, "Session Status Response".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from quart import Blueprint, g

from wagate.clock import Clock
from wagate.context.sessions import AccountSessions
from wagate.errors import BadGatewayError, NotFoundError, SendError, SendRefusedError, UnprocessableError
from wagate.hooks.routes import acts_on, endpoint
from wagate.storage.database import Database
from wagate.storage.owners.accounts import get_account, list_accounts
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.rows import AccountRow
from wagate.web.access.identity import RequestAuth, ViewTokens
from wagate.web.api.accounts import Phone, digits
from wagate.web.sessions.view import (
    STATUS_WORDS,
    SessionState,
    SessionView,
    Summary,
    iso,
    list_view,
    status_filter,
    status_view,
)
from wagate.web.sessions.view import summary as summarise

PREFIX = "/api/whatsapp/session"
SESSIONLESS = frozenset({"engine"})
"""Providers whose numbers have no session of ours to look at; they are left out of lists."""
Status = Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(["", *STATUS_WORDS])})]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One session."""

    success: Literal[True] = True
    data: SessionView


class ListAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions, and how many are in which group."""

    success: Literal[True] = True
    data: list[SessionView]
    summary: Summary
    """Of all sessions asked for, whatever ``status`` lets through."""
    timestamp: str
    """Now: UTC with milliseconds and Z."""


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which sessions."""

    user_id: str | None = None
    """Only this client's, by slug or id."""
    status: Status | None = None
    """A group of the summary, or an exact status word; empty is all."""


class ViewTokenBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long it lasts."""

    expires_in: Seconds = 3600
    """Seconds; a day at most."""


class ViewTokenAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token with read-only access to one session."""

    success: Literal[True] = True
    session_id: str
    token: str
    """For ``?token=`` on the session pages."""
    expires_at: datetime


class Sessions:
    """Sessions that the running request may look at."""

    def __init__(self, auth: RequestAuth, database: Database, clock: Clock, states: AccountSessions) -> None:
        self._auth = auth
        self._states = states
        self._database = database
        self._clock = clock

    async def one(self, name: str, scope: Scope) -> StatusAnswer:
        """One session. NotFoundError."""
        if scope.viewed not in {None, name}:
            raise NotFoundError(f"no session {name[:100]!r}")
        try:
            row = await self._database.read(get_account, name, client_id=scope.client_id)
        except NotFoundError as error:
            raise NotFoundError(f"no session {name[:100]!r}") from error
        shown = status_view(state_of(row))
        if shown.needs_qr and (notice := self._states.notice(name)):
            shown = msgspec.structs.replace(shown, notice=notice)
        return StatusAnswer(data=shown)

    async def all(self, scope: Scope, status: str | None = None) -> ListAnswer:
        """All sessions in scope. BadRequestError: no such status."""
        wanted = status_filter(status)
        rows = await self._database.browse(list_accounts, client_id=scope.client_id)
        states = [state_of(row) for row in rows if row.provider not in SESSIONLESS]
        if scope.viewed is not None:
            states = [state for state in states if state.session_id == scope.viewed]
        return ListAnswer(
            data=[list_view(state) for state in states if wanted(state.status)],
            summary=summarise(state.status for state in states),
            timestamp=iso(self._clock.now()),
        )

    def scope(self, user: str | None = None) -> Scope:
        """What the running request's token may look at, narrowed to one owner. NotFoundError."""
        client_id = self._auth.identity().client_id if not user else self._auth.owner(user).id
        return Scope(client_id=client_id, viewed=g.viewed)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions somebody may look at."""

    client_id: int | None
    """Only this client's; None: all."""
    viewed: str | None
    """Only this one; None: all."""


def sessions_routes(
    auth: RequestAuth, sessions: Sessions, tokens: ViewTokens, live: LiveDirectory, clock: Clock
) -> Blueprint:
    """What a page polls, and the token that it polls with."""
    routes = Blueprint("sessions", __name__, url_prefix=PREFIX)

    @routes.get("/status/<session_id>")
    @endpoint(answers={200: StatusAnswer})
    async def status(session_id: str) -> StatusAnswer:
        """One session, with its QR drawn."""
        return await sessions.one(session_id, sessions.scope())

    @routes.get("/list-realtime")
    @endpoint(query=ListQuery, answers={200: ListAnswer}, problems=(400, 404))
    async def index(query: ListQuery) -> ListAnswer:
        """Sessions and their summary."""
        return await sessions.all(sessions.scope(query.user_id), query.status)

    @routes.post("/<session_id>/view-token")
    @endpoint(body=ViewTokenBody, body_optional=True, answers={201: ViewTokenAnswer}, act="make view token")
    async def view_token(session_id: str, body: ViewTokenBody) -> tuple[ViewTokenAnswer, int]:
        """Make a token that expires and only looks at this session, for pages that can send no headers."""
        account = live.now.accounts.get(session_id)
        if account is None or not auth.may_see(account.client_id):
            raise NotFoundError(f"no session {session_id[:100]!r}")
        token = tokens.make(account, seconds=body.expires_in)
        acts_on(account.name, owner=account.client_id, detail=f"{body.expires_in} s")
        expires = clock.now().replace(microsecond=0) + timedelta(seconds=body.expires_in)
        return ViewTokenAnswer(session_id=account.name, token=token, expires_at=expires), 201

    return routes


def state_of(row: AccountRow) -> SessionState:
    """An account's row as a session."""
    return SessionState(
        session_id=row.name,
        user_id=row.tenant,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
        message=row.message or None,
        qr=row.qr,
    )


class PairCodeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose phone links us."""

    phone: Phone


class PairCode(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The code to be typed on the phone."""

    session_id: str
    code: str
    """Type it on the phone: Settings, Linked devices, Link with phone number instead."""
    notice: str | msgspec.UnsetType = msgspec.UNSET
    """What you have to know before you link the number, if there is anything."""


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
        notice = states.notice(session_id) or msgspec.UNSET
        return PairCodeAnswer(data=PairCode(session_id=session_id, code=code, notice=notice))

    return routes


async def pair_code(states: AccountSessions, name: str, phone: str, *, client_id: int | None) -> str:
    """The code. NotFoundError; UnprocessableError: not of this provider, or not now; BadGatewayError: there is none."""
    try:
        return await states.pair_code(name, phone, client_id=client_id)
    except SendRefusedError as error:
        raise UnprocessableError(f"no code is available: {error.reason}") from error
    except SendError as error:
        raise BadGatewayError(f"no code is available: {error.reason}") from error
