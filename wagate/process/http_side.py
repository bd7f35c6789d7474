"""The edge: doors, API and plugin routes on one HTTP server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from typing import cast

import trio
from hypercorn.config import Config as ServerConfig
from hypercorn.typing import ASGIFramework

from wagate.config import Config, Rate
from wagate.context.deliveries import DeliveryLog
from wagate.hooks.context import PluginContext
from wagate.hooks.providers import Check
from wagate.inbound.accounts import Accounts
from wagate.metrics import HttpMetrics
from wagate.plugins.loader import Plugin, plugin_checks
from wagate.process.assemble import Core, check_link
from wagate.process.doctor import Patient, examine
from wagate.process.health import health_monitor
from wagate.web.access.auth import Authenticator
from wagate.web.access.cors import Cors
from wagate.web.access.idempotency import Once
from wagate.web.access.identity import RequestAuth, ViewTokens
from wagate.web.access.rate_limit import RateLimit
from wagate.web.api.doctor import DoctorLine, doctor_routes
from wagate.web.app import create_api
from wagate.web.http.asgi import App, Networks
from wagate.web.http.server import serve_http
from wagate.web.inbound.engine_door import ENGINE_PATH, EngineDoor
from wagate.web.inbound.intake import DoorAt, IntakeApp
from wagate.web.inbound.once_door import OnceDoor
from wagate.web.inbound.own_deliveries import NotOwnDoor
from wagate.web.inbound.provider_door import PATTERN, ProviderDoor
from wagate.web.inbound.refusals import Refusals
from wagate.web.inbound.session_door import SessionDoor
from wagate.web.media.media_door import MediaDoor
from wagate.web.messages.sending import SendParts

MOST_REQUESTS = 1_000_000
"""Requests on one connection: a provider that keeps one open is not cut off in mid-stream of messages."""
API = "api"
"""Source of messages that are submitted over HTTP."""
SOCKET = "wagate.sock"
"""In the data folder: where the command line finds a running gateway."""


async def serve_edge(
    core: Core,
    plugins: list[Plugin],
    contexts: Mapping[str, PluginContext],
    *,
    stop: trio.Event,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set and what runs is answered. Reports the URLs."""
    config = core.config
    app = build_app(core, plugins, contexts)
    scheme = "https" if config.server.certfile else "http"

    async def stopping() -> None:
        await stop.wait()
        # They would run through the whole drain: streams of sessions, and who waits for a job.
        core.hub.close()
        core.consumers.let_waiters_go()

    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[object]) -> None:
            await serve_http(
                cast("ASGIFramework", app),
                server_config(config),
                shutdown_trigger=stopping,
                unix_path=config.data.dir / SOCKET,
                task_status=task_status,
            )

        addresses = await nursery.start(serve)
        task_status.started([f"{scheme}://{each[0]}:{each[1]}" for each in addresses if not isinstance(each, str)])


def server_config(config: Config) -> ServerConfig:
    """Hypercorn's settings for ours."""
    made = ServerConfig()
    host = f"[{config.server.host}]" if ":" in config.server.host else config.server.host
    made.bind = [f"{host}:{config.server.port}"]
    made.certfile = config.server.certfile or None
    made.keyfile = config.server.keyfile or None
    # Half for the requests that run, half for the deliveries: a stop takes no longer than the drain in all.
    made.graceful_timeout = config.server.drain / 2
    made.include_server_header = False
    made.keep_alive_max_requests = MOST_REQUESTS
    return made


def authenticator(core: Core, tokens: ViewTokens) -> Authenticator:
    """Who asks: the admin's token, clients' tokens, signed view tokens."""
    return Authenticator(
        core.secrets.admin_token,
        lambda: core.live.now,
        view_account=tokens.account,
        failures=_rate(core, core.config.limits.auth),
        used=core.token_uses.note,
    )


def doors(core: Core, auth: Authenticator, refusals: Refusals) -> tuple[DoorAt, ...]:
    """Where WhatsApp comes in."""
    accounts = Accounts(core.database, core.live, core.clock, most=core.config.limits.accounts)
    limit = _rate(core, core.config.limits.intake)
    sessions = SessionDoor(auth, accounts, core.receiver, core.sieve, limit, refusals=refusals)
    providers = ProviderDoor(
        lambda: core.live.now,
        core.providers,
        core.receiver,
        core.sieve,
        limit,
        sessions=sessions,
        public_url=core.config.server.public_url,
        refusals=refusals,
    )
    looks_too = frozenset({"GET", "HEAD", "POST"})
    found = (
        DoorAt(
            frozenset({"POST"}),
            re.compile(ENGINE_PATH),
            OnceDoor(
                EngineDoor(auth, accounts, core.receiver, core.positions, limit),
                auth,
                Once(core.database, core.vault, core.clock),
            ),
        ),
        DoorAt(looks_too, re.compile("/api/whatsapp/webhook/[^/]+"), sessions),
        DoorAt(looks_too, re.compile(PATTERN), providers),
    )
    return tuple(replace(at, door=NotOwnDoor(at.door, core.database)) for at in found)


async def _examine(core: Core, checks: Sequence[tuple[str, Check]]) -> list[DoctorLine]:
    return await examine(
        Patient(
            config=core.config,
            clock=core.clock,
            http=core.http,
            providers=core.providers,
            database=core.database,
            redis=core.redis,
            accounts=list(core.live.now.accounts.values()),
            checks=checks,
        )
    )


def trusted(config: Config) -> Networks:
    """Proxies whose forwarding headers count."""
    return tuple(ip_network(each, strict=False) for each in config.server.trusted_proxies)


def build_app(core: Core, plugins: list[Plugin], contexts: Mapping[str, PluginContext]) -> App:
    """The doors in front, the API and the plugins' routes behind."""
    tokens = ViewTokens(core.vault, core.live)
    auth = authenticator(core, tokens)
    metrics = HttpMetrics(core.registry)
    refusals = Refusals(core.clock, metrics.refuse)
    checks = [("webhooks", refusals.look), *plugin_checks(plugins, contexts)]
    api = create_api(
        config=core.config,
        clock=core.clock,
        database=core.database,
        live=core.live,
        providers=core.providers,
        vault=core.vault,
        auth=auth,
        tokens=tokens,
        deliveries=DeliveryLog(core.database, core.consumers.control),
        receiver=core.receiver,
        hub=core.hub,
        health=health_monitor(core),
        registry=core.registry,
        check_url=core.http.check,
        media_url=core.media.store.url,
        outbound=SendParts(
            messages=core.outbound.outbox(API),
            keep=core.media.store.keep,
            jobs=core.consumers.jobs,
            check_link=partial(check_link, core.http, core.media.store),
        ),
        trusted_proxies=trusted(core.config),
        plugins=[
            (
                "wagate",
                doctor_routes(RequestAuth(core.live), partial(_examine, core, checks)),
            ),
            *(
                (plugin.name, routes)
                for plugin in plugins
                for routes in plugin.gather("register_routes", contexts[plugin.name])
            ),
        ],
    )
    return IntakeApp(
        doors(core, auth, refusals),
        media_door(core, auth, metrics, cast("App", api)),
        max_body=core.config.server.max_body,
        trusted_proxies=trusted(core.config),
        count=metrics.count,
    )


def media_door(core: Core, auth: Authenticator, metrics: HttpMetrics, api: App) -> App:
    """Files in and out, in front of the API."""
    return MediaDoor(
        api,
        core.media.store,
        auth,
        core.live,
        uploads=_rate(core, core.config.limits.messages),
        cors=Cors(core.config.server.cors_origins),
        trusted_proxies=trusted(core.config),
        count=metrics.count,
    )


def _rate(core: Core, rate: Rate) -> RateLimit:
    return RateLimit(core.clock, count=rate.count, period=rate.seconds)
