"""WAHA's session pages: accounts as its clients see them.

Source: answers of WAHA 2026.2.1 and its OpenAPI document, https://waha.devlike.pro/swagger/.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from quart import Blueprint, Response, request

from wagate.context.sessions import AccountSessions
from wagate.errors import BadGatewayError, NotFoundError, SendError, UnprocessableError
from wagate.events import SESSION_STATES, SessionStatus
from wagate.hooks.routes import endpoint
from wagate.inbound.qr_image import qr_png
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.storage.owners.accounts import get_account, list_accounts
from wagate.storage.rows import AccountRow
from wagate.web.access.identity import RequestAuth
from wagate.web.sessions.routes import SESSIONLESS
from wagate.web.waha.desk import DEFAULT
from wagate.web.waha.session_hooks import SessionHooks

STOPPED, WORKING, FAILED = (
    SESSION_STATES[each].waha
    for each in (SessionStatus.SESSION_NOT_CONNECTED, SessionStatus.SESSION_CONNECTED, SessionStatus.ERROR)
)
PNG = "image/png"
NO_QR = "Session status is not as expected: there is no QR code to scan"


class Me(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Our number."""

    id: str
    """Its chat key."""
    push_name: str
    """The account's name."""


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for the account."""

    metadata: dict[str, str]
    """The account's; what is no text is JSON."""
    ignore: dict[str, Any]
    """Kinds of chats that are not taken in."""
    webhooks: list[dict[str, Any]] = []
    """Those that were registered for this session alone: ``url``, ``events``."""


class Timestamps(msgspec.Struct, frozen=True, kw_only=True):
    """When something happened."""

    activity: int | None
    """Unix milliseconds of the last change of state."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """What runs the session."""

    engine: str
    """The provider."""


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A session in WAHA's form."""

    name: str
    """The account's name."""
    status: str
    """STOPPED, STARTING, SCAN_QR_CODE, WORKING or FAILED; a provider without sessions is WORKING."""
    config: SessionConfig
    me: Me | None
    """null when it does not work, or the number is not known."""
    presence: None = None
    apps: list[dict[str, Any]] = []
    timestamps: Timestamps
    engine: Engine


class SessionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions."""

    all: str | None = None
    """``true``: those that are STOPPED, too."""


class QrQuery(msgspec.Struct, frozen=True, kw_only=True):
    """In which form."""

    format: Literal["image", "raw"] = "image"
    """``raw``: the text of the code."""


class QrAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The QR code: a picture, or with ``?format=raw`` its text."""

    mimetype: str = ""
    data: str = ""
    """Base64."""
    value: str = ""
    """The text."""


def waha_sessions_routes(
    auth: RequestAuth, database: Database, providers: Providers, states: AccountSessions, hooks: SessionHooks
) -> Blueprint:
    """Sessions: the token's own; the admin token sees all."""
    routes = Blueprint("waha_sessions", __name__, url_prefix="/api")

    async def find(name: str) -> AccountRow:
        return await find_session(auth, database, name)

    @routes.get("/sessions")
    @endpoint(query=SessionsQuery, answers={200: list[SessionInfo]}, listed=False)
    async def index(query: SessionsQuery) -> list[SessionInfo]:
        """Sessions, as WAHA lists them."""
        rows = await database.browse(list_accounts, client_id=auth.identity().client_id)
        told = await hooks.all()
        found = [session_info(row, providers, told) for row in rows if row.provider not in SESSIONLESS]
        return found if query.all in {"true", "1"} else [each for each in found if each.status != STOPPED]

    @routes.get("/sessions/<session>")
    @endpoint(answers={200: SessionInfo}, listed=False)
    async def show(session: str) -> SessionInfo:
        """One session, as WAHA shows it."""
        row = await find(session)
        return session_info(row, providers, await hooks.all(row.name))

    @routes.get("/sessions/<session>/me")
    @endpoint(answers={200: None})
    async def me(session: str) -> Response:
        """Our number: `{"id", "pushName"}`; null when it is not known."""
        found = session_info(await find(session), providers).me
        return Response(msgspec.json.encode(found), content_type="application/json")

    @routes.get("/<session>/auth/qr")
    @endpoint(query=QrQuery, answers={200: None}, problems=(502,), media_type=PNG, or_json=QrAnswer)
    async def qr(session: str, query: QrQuery) -> Response | QrAnswer:
        """The QR code that waits to be scanned, as a picture; as JSON when Accept or `?format=raw` asks for it."""
        name = (await find(session)).name
        return await show_qr(states, name, auth.identity().client_id, none=NO_QR, raw=query.format == "raw")

    return routes


async def control(states: AccountSessions, name: str, action: str) -> None:
    """Do it to a session that the caller may see, but for the start of one that works.

    UnprocessableError, BadGatewayError.
    """
    try:
        view = await states.view(name, client_id=None)
        if action == "start" and "start" in view.actions and view.status == SessionStatus.SESSION_CONNECTED:
            return
        await states.control(name, action, client_id=None)
    except SendError as error:
        raise BadGatewayError(f"{action}: {error.reason}") from error


async def show_qr(
    states: AccountSessions, name: str, client_id: int | None, *, none: str, raw: bool = False
) -> Response | QrAnswer:
    """The code that waits to be scanned, in the form that Accept asks for; ``raw``: its text.

    UnprocessableError: there is none, with ``none`` as the reason. BadGatewayError.
    """
    text = await _qr(states, name, client_id)
    picture = qr_png(text)
    if picture is None:
        raise UnprocessableError(none)
    if raw:
        return QrAnswer(value=text)
    if request.accept_mimetypes.best_match([PNG, "application/json"]) == "application/json":
        return QrAnswer(mimetype=PNG, data=base64.b64encode(picture).decode())
    return Response(picture, content_type=PNG)


async def _qr(states: AccountSessions, name: str, client_id: int | None) -> str:
    try:
        return await states.qr(name, client_id=client_id)
    except SendError as error:
        raise BadGatewayError(f"there may be a QR code, but {error.reason}") from error


async def find_session(auth: RequestAuth, database: Database, name: str) -> AccountRow:
    """The account that a session names; ``default``: the client's oldest, when none has that name. NotFoundError."""
    client_id = auth.identity().client_id
    try:
        return await database.read(get_account, name, client_id=client_id)
    except NotFoundError as error:
        if name == DEFAULT:
            rows = await database.browse(list_accounts, client_id=client_id or auth.owner(None).id)
            if found := [row for row in rows if row.provider not in SESSIONLESS]:
                return found[0]
        raise NotFoundError("Session not found") from error


def session_info(
    row: AccountRow, providers: Providers, webhooks: Mapping[str, list[dict[str, Any]]] | None = None
) -> SessionInfo:
    """An account as WAHA shows a session. ``webhooks``: by session."""
    status = _status(row, providers)
    known = status == WORKING and row.phone
    made = (webhooks or {}).get(row.name, [])
    changed = int(row.updated_at.timestamp() * 1000)
    return SessionInfo(
        name=row.name,
        status=status,
        config=SessionConfig(metadata=_texts(row.metadata or {}), ignore=row.ignore or {}, webhooks=made),
        me=Me(id=f"{row.phone}@c.us", push_name=row.name) if known else None,
        timestamps=Timestamps(activity=changed),
        engine=Engine(engine=row.provider),
    )


def _status(row: AccountRow, providers: Providers) -> str:
    provider = providers.get(row.provider)
    if provider is None:
        return FAILED
    return SESSION_STATES[row.status].waha if provider.sessions else WORKING


def _texts(metadata: dict[str, Any]) -> dict[str, str]:
    """WAHA's metadata holds texts only."""
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in metadata.items()
    }
