"""The edge: doors, API and plugin routes on one HTTP server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from typing import Any, cast

import trio
from hypercorn.config import Config as ServerConfig
from hypercorn.typing import ASGIFramework
from quart import Blueprint

from wagate.config import Config, Rate
from wagate.context.deliveries import DeliveryLog
from wagate.context.targets import TargetDesk
from wagate.hooks.context import PluginContext
from wagate.hooks.panels import Panel
from wagate.hooks.providers import Check
from wagate.inbound.accounts import Accounts
from wagate.inbound.numbers import Numbers, Strangers
from wagate.metrics import HttpMetrics
from wagate.plugins.loader import Plugin, panels_of, plugin_checks
from wagate.process import nowhere
from wagate.process.assemble import Gateway, check_link
from wagate.process.doctor import Installation, run_checks
from wagate.process.files import most_connections
from wagate.process.hard_end import stop_when_asked
from wagate.process.health import Watched, health_monitor
from wagate.process.reload import Reload
from wagate.web.access.admission import Admission
from wagate.web.access.auth import Authenticator
from wagate.web.access.cors import Cors
from wagate.web.access.identity import RequestAuth, ViewTokens
from wagate.web.access.rate_limit import RateLimit
from wagate.web.access.streams import Streams
from wagate.web.api.bulk import bulk_routes
from wagate.web.api.doctor import DoctorLine, doctor_routes
from wagate.web.api.links import links_routes
from wagate.web.api.refusals import refusals_routes, unknown_numbers_routes
from wagate.web.api.reload import reload_routes
from wagate.web.api.stats import stats_routes
from wagate.web.api.targets import targets_routes
from wagate.web.app import create_api
from wagate.web.health import HealthMonitor
from wagate.web.http.asgi import App, Networks
from wagate.web.http.bodies import LargeBodies
from wagate.web.http.server import serve_http
from wagate.web.inbound.engine_door import ENGINE_PATH, EngineDoor
from wagate.web.inbound.intake import DoorAt, IntakeApp, OnceDoor, OwnDeliveries
from wagate.web.inbound.provider_door import PATTERN, ProviderDoor
from wagate.web.inbound.session_door import SessionDoor
from wagate.web.media.media_door import MediaDoor
from wagate.web.messages.sending import SendingContext
from wagate.web.ui.app import create_ui
from wagate.web.ui.door import UiDoor
from wagate.web.ui.overview import for_plugins
from wagate.web.ui.own_api import OwnApi
from wagate.web.ui.parts import Parts
from wagate.web.ui.signin import SignIns

MOST_REQUESTS = 1_000_000
"""Requests on one connection: a provider that keeps one open is not cut off in mid-stream of messages."""
API = "api"
"""Source of messages that are submitted over HTTP."""
SHOWN = "shown"
"""Purpose of what a page shows and a form sends back."""
HANDSHAKE = 10.0
"""Seconds for the handshake of TLS."""
KEEP_ALIVE = 125.0
"""Seconds between two requests: longer than nginx (60), Go's client (90) and Caddy (120) keep a connection."""
PING = 30.0
"""Seconds between two pings on a WebSocket: proxies cut connections that are silent for longer than a minute or so."""
HSTS = (b"strict-transport-security", b"max-age=31536000")
SOCKET = "wagate.sock"
"""In the data folder: where the command line finds a running gateway."""


async def serve_edge(
    gateway: Gateway,
    plugins: list[Plugin],
    contexts: Mapping[str, PluginContext],
    *,
    stop: trio.Event,
    reload: Reload,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set and what runs is answered. Reports the URLs."""
    config = gateway.config
    asked = trio.Event()
    app = build_app(gateway, plugins, contexts, reload, stop, ask_to_stop=asked.set)
    scheme = "https" if config.server.certfile else "http"

    async def stopping() -> None:
        await stop.wait()
        # They would run through the whole drain: streams of sessions, and who waits for a job.
        gateway.hub.close()
        gateway.listeners.close()
        gateway.consumers.let_waiters_go()
        gateway.once.drain(config.server.drain / 2)

    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[object]) -> None:
            nursery.start_soon(stop_when_asked, asked, stop)
            await serve_http(
                cast("ASGIFramework", app),
                server_config(config),
                shutdown_trigger=stopping,
                unix_path=config.data.dir / SOCKET,
                most=most_connections(config.limits.connections),
                task_status=task_status,
            )
            nursery.cancel_scope.cancel()

        addresses = await nursery.start(serve)
        task_status.started([f"{scheme}://{each[0]}:{each[1]}" for each in addresses if not isinstance(each, str)])


class EdgeConfig(ServerConfig):
    """Hypercorn's settings, with a header of ours."""

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """What every answer has: with TLS of our own, browsers are told to come by TLS alone."""
        return [*super().response_headers(protocol), *([HSTS] if self.certfile else [])]


def server_config(config: Config) -> ServerConfig:
    """Hypercorn's settings for ours."""
    made = EdgeConfig()
    host = f"[{config.server.host}]" if ":" in config.server.host else config.server.host
    made.bind = [f"{host}:{config.server.port}"]
    made.certfile = config.server.certfile or None
    made.keyfile = config.server.keyfile or None
    # Half for the requests that run, half for the deliveries: a stop takes no longer than the drain in all.
    made.ssl_handshake_timeout = HANDSHAKE
    made.graceful_timeout = config.server.drain / 2
    made.websocket_ping_interval = PING
    made.include_server_header = False
    made.keep_alive_max_requests = MOST_REQUESTS
    made.keep_alive_timeout = KEEP_ALIVE
    return made


def authenticator(gateway: Gateway, tokens: ViewTokens) -> Authenticator:
    """Who asks: the admin's token, clients' tokens, signed view tokens."""
    return Authenticator(
        gateway.secrets.admin_token,
        lambda: gateway.live.now,
        view_account=tokens.account,
        failures=_rate(gateway, gateway.config.limits.auth),
        used=gateway.token_uses.note,
    )


def doors(gateway: Gateway, auth: Authenticator) -> tuple[DoorAt, ...]:
    """Where WhatsApp comes in."""
    accounts = Accounts(gateway.database, gateway.live, gateway.clock, most=gateway.config.limits.accounts)
    limit = _rate(gateway, gateway.config.limits.intake)
    own = OwnDeliveries(gateway.database)
    numbers = Numbers(lambda: gateway.live.now, gateway.providers)
    sessions = SessionDoor(
        auth,
        accounts,
        gateway.receiver,
        gateway.ignore_filter,
        limit,
        database=gateway.database,
        numbers=numbers,
        refusals=gateway.refusals,
        own=own,
        media=gateway.media.store,
    )
    providers = ProviderDoor(
        lambda: gateway.live.now,
        gateway.providers,
        gateway.receiver,
        gateway.ignore_filter,
        limit,
        auth=auth,
        sessions=sessions,
        numbers=numbers,
        public_url=gateway.config.server.public_url,
        refusals=gateway.refusals,
        own=own,
    )
    looks_too = frozenset({"GET", "HEAD", "POST"})
    return (
        DoorAt(
            frozenset({"POST"}),
            re.compile(ENGINE_PATH),
            OnceDoor(
                EngineDoor(auth, accounts, gateway.receiver, gateway.positions, limit, own=own),
                auth,
                gateway.once,
            ),
        ),
        DoorAt(looks_too, re.compile("/api/whatsapp/webhook/[^/]+"), sessions, sessions.may_be_large),
        DoorAt(looks_too, re.compile(PATTERN), providers, sessions.may_be_large),
    )


async def _run_checks(gateway: Gateway, checks: Sequence[tuple[str, Check]], **how: Any) -> list[DoctorLine]:
    return await run_checks(
        Installation(
            config=gateway.config,
            clock=gateway.clock,
            http=gateway.http,
            providers=gateway.providers,
            database=gateway.database,
            redis=gateway.redis,
            accounts=list(gateway.live.now.accounts.values()),
            checks=checks,
        ),
        **how,
    )


def trusted(config: Config) -> Networks:
    """Proxies whose forwarding headers count."""
    return tuple(ip_network(each, strict=False) for each in config.server.trusted_proxies)


def build_app(
    gateway: Gateway,
    plugins: list[Plugin],
    contexts: Mapping[str, PluginContext],
    reload: Reload,
    stop: trio.Event,
    *,
    ask_to_stop: Callable[[], object],
) -> App:
    """The doors in front, the API and the plugins' routes behind."""
    tokens = ViewTokens(gateway.vault, gateway.live)
    auth = authenticator(gateway, tokens)
    reload.on_new_token(auth.admit)
    metrics, refusals = gateway.http_metrics, gateway.refusals
    bodies, watched = gateway.bodies, Watched(gateway, target_desk(gateway))
    strangers = Strangers(gateway.database, gateway.providers, gateway.live)
    looks = [*watched.looks(), ("webhooks", refusals.look), ("numbers", strangers.look), *nowhere.looks(gateway)]
    checks = [*looks, *plugin_checks(plugins, contexts)]
    health = health_monitor(gateway, watched)
    gateway.checkup.ask_by(partial(_run_checks, gateway, checks))
    api = create_api(
        config=gateway.config,
        clock=gateway.clock,
        database=gateway.database,
        live=gateway.live,
        providers=gateway.providers,
        vault=gateway.vault,
        auth=auth,
        tokens=tokens,
        deliveries=DeliveryLog(gateway.database, gateway.consumers.control),
        receiver=gateway.receiver,
        hub=gateway.hub,
        listeners=gateway.listeners,
        health=health,
        registry=gateway.registry,
        check_url=gateway.http.check,
        stop=ask_to_stop,
        media_url=gateway.media.store.url,
        outbound=_sending(gateway),
        trusted_proxies=trusted(gateway.config),
        plugins=[
            *(("wagate", routes) for routes in _further(gateway, strangers, reload)),
            *_registered(plugins, contexts),
        ],
    )
    api.once = gateway.once  # one for all doors: a stop ends what it shields
    names = sorted(plugin.name for plugin in plugins)
    panels = panels_of(plugins, contexts)
    parts = ui_parts(gateway, auth, health, stop, api=cast("App", api), panels=panels, plugins=names)
    gateway.watching.look_by(partial(for_plugins, parts))
    ui = create_ui(parts)
    return IntakeApp(
        doors(gateway, auth),
        media_door(gateway, auth, metrics, UiDoor(ui, Admission(api, auth, bodies, gateway.config), bodies=bodies)),
        bodies=bodies,
        large=large_bodies(gateway),
        max_body=gateway.config.server.max_body,
        trusted_proxies=trusted(gateway.config),
        count=metrics.count,
    )


def _sending(gateway: Gateway) -> SendingContext:
    """What routes send with."""
    return SendingContext(
        messages=gateway.outbound.outbox(API),
        keep=gateway.media.store.keep,
        jobs=gateway.consumers.jobs,
        file_of=gateway.media.store.file_of,
        room=gateway.media.files.writing,
        check_link=partial(check_link, gateway.http, gateway.media.store),
    )


def _further(gateway: Gateway, strangers: Strangers, reload: Reload) -> Iterator[Blueprint]:
    """Routes of ours about the gateway itself and what it does."""
    auth, live = RequestAuth(gateway.live), gateway.live
    yield doctor_routes(auth, gateway.checkup.now)
    yield unknown_numbers_routes(auth, strangers, live)
    yield reload_routes(auth, reload)
    yield links_routes(auth, gateway.database, gateway.clock, public_url=gateway.config.server.public_url)
    yield bulk_routes(auth, gateway.consumers.bulk, gateway.database, trusted_proxies=trusted(gateway.config))
    yield stats_routes(auth, gateway.database, live, gateway.clock)
    yield refusals_routes(auth, gateway.refusals.all)
    yield targets_routes(auth, target_desk(gateway))


def _registered(plugins: list[Plugin], contexts: Mapping[str, PluginContext]) -> Iterator[tuple[str, Blueprint]]:
    """The plugins' own routes, with their names."""
    for plugin in plugins:
        for routes in plugin.gather("register_routes", context=contexts[plugin.name]):
            yield plugin.name, routes


def large_bodies(gateway: Gateway) -> LargeBodies:
    """What session engines post with a file inside."""
    config = gateway.config
    return LargeBodies(
        gateway.media.files,
        max_file=int(config.media.max_size),
        max_body=int(config.server.max_body),
        reserve=int(config.limits.reserve),
    )


def target_desk(gateway: Gateway) -> TargetDesk:
    """Targets for people."""
    return TargetDesk(gateway.database, gateway.consumers.control, gateway.live, gateway.handlers, gateway.clock)


def ui_parts(
    gateway: Gateway,
    auth: Authenticator,
    health: HealthMonitor,
    stop: trio.Event,
    *,
    api: App,
    panels: Mapping[str, Sequence[Panel]],
    plugins: Sequence[str],
) -> Parts:
    """What the dashboard is made of."""
    return Parts(
        clock=gateway.clock,
        database=gateway.database,
        live=gateway.live,
        signins=SignIns(gateway.database, auth, gateway.live, gateway.clock),
        targets=target_desk(gateway),
        deliveries=DeliveryLog(gateway.database, gateway.consumers.control),
        bulk=gateway.consumers.bulk,
        api=OwnApi(api),
        health=health,
        examine=gateway.checkup.now,
        failing=lambda: gateway.checkup.but_for(gateway.watching.troubles),
        stopped=gateway.outbound.observed.refused,
        config_file=gateway.config.file,
        refused=gateway.refusals.all,
        warnings=gateway.warnings.newest,
        folder=gateway.config.data.dir,
        retention=gateway.config.retention,
        processes=lambda: gateway.consumers.processes,
        loaded=lambda: {name: gateway.watching.troubles.get(name, "") for name in plugins},
        trusted_proxies=trusted(gateway.config),
        spend=_rate(gateway, gateway.config.limits.api).spend,
        recover=gateway.config.delivery.recover,
        media_url=gateway.media.store.url,
        hub=gateway.hub,
        stop=stop,
        streams=Streams(gateway.config.limits.streams),
        sign=partial(gateway.vault.sign, purpose=SHOWN, seconds=3600),
        unsign=partial(gateway.vault.unsign, purpose=SHOWN),
        providers=gateway.providers,
        panels=panels,
        hide=gateway.vault.encrypt,
        reveal=gateway.vault.decrypt,
    )


def media_door(gateway: Gateway, auth: Authenticator, metrics: HttpMetrics, api: App) -> App:
    """Files in and out, in front of the API."""
    return MediaDoor(
        api,
        gateway.media.store,
        auth,
        gateway.live,
        uploads=_rate(gateway, gateway.config.limits.messages),
        cors=Cors(gateway.config.server.cors_origins),
        trusted_proxies=trusted(gateway.config),
        count=metrics.count,
    )


def _rate(gateway: Gateway, rate: Rate) -> RateLimit:
    return RateLimit(gateway.clock, count=rate.count, period=rate.seconds)
