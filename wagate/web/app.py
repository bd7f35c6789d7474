"""The API as one Quart application: guard, errors, routes of ours and of plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog
from quart import Blueprint, Request, Response, g, has_request_context, request, websocket
from quart.ctx import RequestContext
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.clock import Clock
from wagate.config.tables import Config
from wagate.config.vault import Vault
from wagate.context.deliveries import DeliveryLog
from wagate.context.owners import Owners
from wagate.context.sessions import AccountSessions
from wagate.errors import ConfigError, NotFoundError, PluginError, RequestError, TooLargeError, WagateError
from wagate.inbound.accounts import Accounts
from wagate.inbound.receive import Receiver
from wagate.metrics import CollectorRegistry
from wagate.plugins.registry import Providers
from wagate.plugins.wall import broken
from wagate.storage.database import Database
from wagate.storage.owners.live import LiveDirectory
from wagate.web.access.acts import ActLog
from wagate.web.access.auth import Authenticator
from wagate.web.access.cors import Cors
from wagate.web.access.guard import Guard
from wagate.web.access.idempotency import HEADER, Once
from wagate.web.access.identity import RequestAuth, ViewTokens
from wagate.web.api.account_settings import AccountSettings, CheckUrl
from wagate.web.api.accounts import accounts_routes
from wagate.web.api.clients import clients_routes
from wagate.web.api.conversations import MediaUrl, conversations_routes
from wagate.web.api.deliveries import delivery_routes
from wagate.web.api.health import health_routes
from wagate.web.api.targets import TargetConverter
from wagate.web.api.tenants import PREFIXES, Tenants, tenants_routes
from wagate.web.documents.routes import documents_routes
from wagate.web.finish import Finishing
from wagate.web.health import HealthMonitor
from wagate.web.http.asgi import App, Networks
from wagate.web.http.url_rules import UrlRule
from wagate.web.messages.routes import messages_routes
from wagate.web.messages.sending import Sending, SendingContext
from wagate.web.problems import problem_of
from wagate.web.sessions.hub import SessionHub
from wagate.web.sessions.routes import Sessions, sessions_routes
from wagate.web.sessions.stream import SessionStream, stream_routes
from wagate.web.ui.own_api import OwnApi
from wagate.web.waha.control import session_verbs
from wagate.web.waha.desk import Desk
from wagate.web.waha.listeners import Listeners
from wagate.web.waha.message_names import MessageNames
from wagate.web.waha.routes import waha_routes
from wagate.web.waha.send import waha_send_routes
from wagate.web.waha.session_hooks import SessionHooks
from wagate.web.waha.socket import socket_routes

log = structlog.get_logger("wagate.api")


class Api(Finishing):
    """Quart, with idempotency keys around every POST."""

    once: Once
    owners: dict[str, str]
    """Blueprint → the plugin that registered it."""

    async def handle_request(self, request: Request) -> Response | WerkzeugResponse:
        """Answer; the body goes with its request, whatever else still knows the request."""
        try:
            return await super().handle_request(request)
        finally:
            request.body.clear()

    async def dispatch_request(self, request_context: RequestContext | None = None) -> Any:
        """Run the view; with an Idempotency-Key, once."""
        asked = request_context.request if request_context is not None else request
        if asked.method != "POST" or HEADER not in asked.headers or asked.routing_exception or g.identity is None:
            return await self._view(request_context)
        who = "admin" if g.identity.admin else str(g.identity.client_id)
        return await self.once.run(self._respond, who=who)

    async def _view(self, request_context: RequestContext | None = None) -> Any:
        """Run it. Also a plugin's SystemExit is an error of this request alone."""
        try:
            return await super().dispatch_request(request_context)
        except Exception:
            raise
        except BaseException as error:
            raise broken(self.owner(request.blueprint), "a route", error) from error

    def owner(self, blueprint: str | None) -> str:
        """The plugin that registered a blueprint; else ourselves."""
        return self.owners.get((blueprint or "").partition(".")[0], "wagate")

    async def _respond(self) -> Response:
        response = await self.make_response(await self._view())
        assert isinstance(response, Response)
        return response


def create_api(
    *,
    config: Config,
    clock: Clock,
    database: Database,
    live: LiveDirectory,
    providers: Providers,
    vault: Vault,
    auth: Authenticator,
    tokens: ViewTokens,
    deliveries: DeliveryLog,
    receiver: Receiver,
    hub: SessionHub,
    listeners: Listeners,
    health: HealthMonitor,
    registry: CollectorRegistry,
    check_url: CheckUrl,
    stop: Callable[[], object],
    media_url: MediaUrl = lambda _event: None,
    outbound: SendingContext | None = None,
    trusted_proxies: Networks = (),
    plugins: Sequence[tuple[str, Blueprint]] = (),
) -> Api:
    """The application beside the hot path.

    ``auth`` must know ``tokens.account`` as its ``view_account``; ``check_url`` refuses what settings given by API must
    not name; ``stop`` has us stop soon; ``outbound``: sends, None when nothing can; ``plugins``: (its name, blueprint).

    Raises:
        ConfigError: two of the blueprints have the same path.
    """
    api = Api("wagate", static_folder=None, template_folder=None)
    api.once, api.owners, api.url_rule_class = Once(database, vault, clock), {}, UrlRule
    api.config.update(MAX_CONTENT_LENGTH=int(config.server.max_body), PROVIDE_AUTOMATIC_OPTIONS=False)
    api.url_map.strict_slashes = api.url_map.merge_slashes = False
    api.url_map.converters["target"] = TargetConverter
    cors = Cors(config.server.cors_origins)
    guard = Guard(auth, lambda: live.now, limits=config.limits, clock=clock, trusted_proxies=trusted_proxies, cors=cors)
    _guarded(api, guard, ActLog(database, clock, trusted_proxies))
    _answer_errors(api)

    asker = RequestAuth(live)
    sessions = Sessions(asker, database, clock, states := AccountSessions(database, live, providers))
    settings, most = AccountSettings(providers, vault, check_url), config.limits.accounts
    known, own = Accounts(database, live, clock, most=most), OwnApi(cast("App", api))
    tenants = Tenants(asker, database, live, clock, settings, vault=vault, most=most)
    _register_all(
        api,
        health_routes(health, registry),
        clients_routes(asker, database, live, clock, most_tokens=config.limits.tokens),
        accounts_routes(asker, database, live, clock, settings, vault=vault, most=most),
        *(tenants_routes(name, tenants) for name in PREFIXES),
        delivery_routes(asker, deliveries),
        conversations_routes(asker, database, live, known, receiver, media_url=media_url),
        sessions_routes(asker, sessions, tokens, live, clock),
        stream_routes(sessions, SessionStream(sessions, hub, clock, most=config.limits.streams)),
        *session_verbs(asker, database, providers, states, own),
        documents_routes(api),
    )
    if outbound is not None:
        sending = Sending(asker, Owners(live), deliveries, outbound)
        names = MessageNames(database, outbound.messages)
        parts = (asker, database, live, providers, states, sending, names, clock, media_url, clock.now())
        desk = Desk(*parts, most_tokens=config.limits.tokens, stop=stop, own=SessionHooks(own, asker))
        waha = (waha_send_routes(sending, names), waha_routes(desk), socket_routes(desk, listeners))
        _register_all(api, messages_routes(sending), *waha)
    _register(api, plugins)
    return api


def _register_all(api: Api, *blueprints: Blueprint) -> None:
    for routes in blueprints:
        api.register_blueprint(routes)


def _guarded(api: Api, guard: Guard, acts: ActLog) -> None:
    api.before_request(guard.before_request)
    api.before_websocket(guard.before_websocket)
    api.after_request(guard.after_request)
    api.after_request(acts.after_request)


def _register(api: Api, plugins: Sequence[tuple[str, Blueprint]]) -> None:
    for plugin, routes in plugins:
        prefix = routes.url_prefix or f"/plugins/{plugin}"
        api.owners[f"{plugin}_{routes.name}"] = plugin
        try:
            api.register_blueprint(routes, name=f"{plugin}_{routes.name}", url_prefix=prefix)
        except BaseException as error:
            raise broken(plugin, "register_routes", error) from error
    _refuse_twice(api)


def _refuse_twice(api: Api) -> None:
    """ConfigError: what a plugin's blueprint has, another blueprint had before it."""
    taken: dict[tuple[str, str], str] = {}
    for rule in api.url_map.iter_rules():  # as they were registered: each time they are asked for they are sorted
        blueprint = rule.endpoint.partition(".")[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if taken.setdefault((rule.rule, method), blueprint) != blueprint and blueprint in api.owners:
                raise ConfigError(
                    f"plugins.{api.owners[blueprint]}: {method} {rule.rule} is already registered by another plugin "
                    "or by wagate"
                )


def _answer_errors(api: Api) -> None:
    @api.errorhandler(WagateError)
    async def refused(error: WagateError) -> Response:
        if not isinstance(error, RequestError):
            log.warning("request failed", path=_path(), error=str(error))
        return _problem(error)

    @api.errorhandler(HTTPException)
    async def misdirected(error: HTTPException) -> Response:
        response = _problem(_translated(error))
        if "Allow" in (headers := dict(error.get_headers())):
            response.headers["Allow"] = headers["Allow"]
        return response

    @api.errorhandler(PluginError)
    @api.errorhandler(Exception)
    async def failed(error: Exception) -> Response:
        blueprint = request.blueprint if has_request_context() else websocket.blueprint
        log.error("request failed", path=_path(), plugin=api.owner(blueprint), exc_info=error)
        return _problem(WagateError())


def _problem(error: WagateError) -> Response:
    status, headers, body = problem_of(error, _path())
    return Response(body, status=status, headers=headers)


def _translated(error: HTTPException) -> RequestError:
    """Quart's own refusals (404, 405, 413 …) in our form."""
    if error.code == TooLargeError.status:
        return TooLargeError("the body is over server.max_body")
    if error.code == NotFoundError.status:
        return NotFoundError("no route has this path; GET /docs lists all paths")
    translated = RequestError(error.description or error.name)
    translated.status, translated.title = error.code or 400, error.name
    return translated


def _path() -> str:
    return request.path if has_request_context() else websocket.path
