"""WAHA's sessions, made, changed and deleted: accounts of wagate's own WhatsApp connection, with their webhooks."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import trio
from msgspec import Meta
from quart import Blueprint, Response

from wagate.context.sessions import AccountSessions
from wagate.errors import ConflictError, NotFoundError, RequestError, SendError, UnprocessableError
from wagate.hooks.routes import acts_on, endpoint, finish
from wagate.plugins.registry import Providers
from wagate.storage.database import Database
from wagate.web.access.identity import RequestAuth
from wagate.web.ui.own_api import Answered
from wagate.web.waha.session_hooks import SessionHooks, Webhook
from wagate.web.waha.sessions import SessionInfo, control, find_session, session_info

ENGINE = "whatsapp"
"""The provider of a session that is made here."""
STOPPING = 10.0
"""Seconds."""
IGNORED = ("groups", "status", "broadcast", "channels")


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """Through which it goes out."""

    server: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for a session; ``noweb``, ``gows``, ``webjs``, ``client`` and ``debug`` mean nothing here."""

    metadata: dict[str, Any] | None = None
    proxy: Proxy | None = None
    ignore: dict[str, bool] | None = None
    webhooks: Annotated[list[Webhook], Meta(max_length=50)] | None = None


class CreateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A session to make."""

    name: str | None = None
    start: bool = True
    config: Config | None = None
    apps: list[Any] | None = None


class UpdateBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to be."""

    config: Config | None = None
    apps: list[Any] | None = None


class NamedBody(msgspec.Struct, frozen=True, kw_only=True):
    """Which session."""

    name: str
    config: Config | None = None
    logout: bool = False


def waha_manage_routes(
    auth: RequestAuth, database: Database, providers: Providers, states: AccountSessions, hooks: SessionHooks
) -> Blueprint:
    """Make, change, delete; and the older forms of start, stop and logout."""
    routes = Blueprint("waha_manage", __name__, url_prefix="/api/sessions")
    sessions = Managed(auth, database, providers, states, hooks)

    @routes.post("")
    @endpoint(
        body=CreateBody,
        answers={201: SessionInfo},
        problems=(404, 409, 422),
        body_optional=True,
        listed=False,
        act="create session",
    )
    async def create(body: CreateBody) -> tuple[SessionInfo, int]:
        """Make a session."""
        return await sessions.create(body), 201

    @routes.put("/<session>")
    @endpoint(
        body=UpdateBody,
        answers={200: SessionInfo},
        problems=(404, 409, 422),
        body_optional=True,
        listed=False,
        act="change session",
    )
    async def update(session: str, body: UpdateBody) -> SessionInfo:
        """Change a session: its metadata, what it ignores, its webhooks."""
        return await sessions.update(session, body)

    @routes.delete("/<session>")
    @endpoint(answers={200: None}, problems=(404, 409), listed=False)
    async def delete(session: str) -> Response:
        """Delete a session, the account and the webhooks that were made with it. Without one, nothing is done."""
        with suppress(NotFoundError):  # WAHA's answer is the same when there is none
            row = await find_session(auth, database, session)
            finish()
            await hooks.remove(row.name)
            (await hooks.call("DELETE", f"/api/accounts/{row.name}")).expect()
            acts_on(row.name, owner=row.client_id, act="delete session")
        return Response(b"", status=200)

    _add_older(routes, sessions)
    return routes


def _add_older(routes: Blueprint, sessions: Managed) -> None:
    @routes.post("/start")
    @endpoint(
        body=NamedBody, answers={201: SessionInfo}, problems=(404, 409, 422, 502), listed=False, act="start session"
    )
    async def start(body: NamedBody) -> tuple[SessionInfo, int]:
        """Start a session, which is made if need be."""
        try:
            await sessions.shown(body.name)
        except NotFoundError:
            return await sessions.create(CreateBody(name=body.name, config=body.config)), 201
        return await sessions.act(body.name, "start"), 201

    @routes.post("/stop")
    @endpoint(body=NamedBody, answers={201: SessionInfo}, problems=(404, 422, 502), listed=False, act="stop session")
    async def stop(body: NamedBody) -> tuple[SessionInfo, int]:
        """Stop a session."""
        return await sessions.act(body.name, "logout" if body.logout else "stop"), 201

    @routes.post("/logout")
    @endpoint(body=NamedBody, answers={201: SessionInfo}, problems=(404, 422, 502), listed=False, act="logout session")
    async def logout(body: NamedBody) -> tuple[SessionInfo, int]:
        """Unlink a session."""
        return await sessions.act(body.name, "logout"), 201


class Managed:
    """What is done to sessions."""

    def __init__(
        self,
        auth: RequestAuth,
        database: Database,
        providers: Providers,
        states: AccountSessions,
        hooks: SessionHooks,
    ) -> None:
        self._auth = auth
        self._database = database
        self._providers = providers
        self._states = states
        self._hooks = hooks

    async def create(self, body: CreateBody) -> SessionInfo:
        """Make an account of the own engine. ConflictError: there is one; UnprocessableError: something is wrong."""
        if ENGINE not in self._providers.names:
            raise UnprocessableError("a session made here needs the provider whatsapp, which is not installed")
        _refuse_apps(body.apps)
        config = body.config or Config()
        _refuse_proxy(config)
        name = body.name or f"session_{secrets.token_hex(8)}"
        account: dict[str, Any] = {"name": name, "provider": ENGINE, **_kept(config)}
        _raise(await self._hooks.call("POST", "/api/accounts", account), name)
        try:
            await self._hooks.add(name, config.webhooks or (), tenant=self._auth.owner(None).slug)
        except RequestError:
            await self._hooks.remove(name)
            await self._hooks.call("DELETE", f"/api/accounts/{name}")
            raise
        if not body.start:
            await self._stop(name)
        return await self.shown(name)

    async def _stop(self, name: str) -> None:
        """As soon as it is there to be stopped; a few seconds at most."""
        with trio.move_on_after(STOPPING):
            while True:
                with suppress(SendError):
                    await self._states.control(name, "stop", client_id=None)
                    return
                await trio.sleep(0.1)

    async def update(self, session: str, body: UpdateBody) -> SessionInfo:
        """Replace its config, as WAHA does; without one, nothing changes."""
        row = await find_session(self._auth, self._database, session)
        _refuse_apps(body.apps)
        if body.config is not None:
            change = {"metadata": {}, "ignore": {}} | _kept(body.config)
            if row.provider == ENGINE:
                _refuse_proxy(body.config)
                change["settings"] = {"proxy": None}
            _raise(await self._hooks.call("PATCH", f"/api/accounts/{row.name}", change), row.name)
            await self._hooks.replace(row.name, body.config.webhooks or (), tenant=row.tenant)
        return await self.shown(row.name)

    async def act(self, session: str, action: str) -> SessionInfo:
        """Start, stop, log out."""
        row = await find_session(self._auth, self._database, session)
        await control(self._states, row.name, action)
        return await self.shown(row.name)

    async def shown(self, name: str) -> SessionInfo:
        """As it is now."""
        row = await find_session(self._auth, self._database, name)
        acts_on(row.name, owner=row.client_id)
        return session_info(row, self._providers, await self._hooks.all(name))


def _kept(config: Config) -> dict[str, Any]:
    """What an account keeps of it."""
    kept: dict[str, Any] = {}
    if config.metadata is not None:
        kept["metadata"] = config.metadata
    if config.ignore is not None:
        kept["ignore"] = {name: bool(config.ignore.get(name)) for name in IGNORED}
    return kept


def _refuse_apps(apps: list[Any] | None) -> None:
    if apps:
        raise UnprocessableError("WAHA's apps are connectors here: wagate chatwoot connect", field="apps")


def _refuse_proxy(config: Config) -> None:
    if config.proxy is not None and config.proxy.server.strip():
        raise UnprocessableError(
            "a proxy can be set only in config.toml, in the account's table; leave config.proxy out here",
            field="config.proxy",
        )


def _raise(answered: Answered, name: str) -> None:
    """What our own API refuses, in the words of sessions."""
    if answered.status == ConflictError.status and "name" in answered.wrong:
        raise UnprocessableError(f"Session {name!r} already exists. Use PUT to update it.", field="name")
    answered.expect()
