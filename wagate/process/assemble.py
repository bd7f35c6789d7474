"""The parts that a process is made of, and what each plugin gets of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog

from wagate import __version__
from wagate.clock import Clock
from wagate.config import Config
from wagate.config.secrets import Secrets
from wagate.config.vault import Vault
from wagate.consumers import Consumers, Setup
from wagate.context.archive import StoredArchive
from wagate.context.deliveries import DeliveryLog
from wagate.context.endpoints import EndpointTable
from wagate.context.owners import KnownPeople, Owners
from wagate.context.sessions import AccountSessions
from wagate.context.store import PluginStore
from wagate.context.watch import PluginWatch, Watching
from wagate.events import NewEvent
from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import Handler, Target
from wagate.hooks.watch import Watch
from wagate.http.client import HttpClient
from wagate.http.guard import Guard, parse_networks
from wagate.http.url import check_url
from wagate.inbound.ignore import IgnoreFilter
from wagate.inbound.people import People
from wagate.inbound.position import Positions
from wagate.inbound.receive import Emitter, Receiver, Ring
from wagate.inbound.route import Router
from wagate.media.assemble import MediaSubsystem, make_media
from wagate.media.store import Media
from wagate.metrics import CollectorRegistry, HttpMetrics
from wagate.outbound.context import OutboundContext
from wagate.outbound.outbound import Outbound
from wagate.plugins.checked_context import CheckedPart, checked_call
from wagate.plugins.checked_handler import checked_listener
from wagate.plugins.loader import Plugin
from wagate.plugins.registry import Providers
from wagate.process.backup import ENGINE
from wagate.process.checkup import Checkup
from wagate.process.maintenance import Minutes
from wagate.queue.queue import Queue, name_of_process
from wagate.queue.redis import RedisThread
from wagate.queue.shards import sharded
from wagate.rules.settle import PATIENCE
from wagate.rules.states import Policy
from wagate.storage.database import Database
from wagate.storage.events.intake import Intake, Stored
from wagate.storage.owners.clients import TokenUses
from wagate.storage.owners.live import LiveDirectory
from wagate.web.access.idempotency import Once
from wagate.web.access.identity import RequestAuth
from wagate.web.http.bodies import Bodies
from wagate.web.inbound.refusals import Refusals
from wagate.web.sessions.hub import SessionHub
from wagate.web.ui.warnings import LastWarnings
from wagate.web.waha.listeners import Listeners


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The parts that contexts are made of."""

    config: Config
    clock: Clock
    vault: Vault
    database: Database
    redis: RedisThread
    live: LiveDirectory
    handlers: dict[str, Handler]
    """By name; filled before anything runs."""
    providers: Providers
    """Filled before anything runs, too."""
    consumers: Consumers
    receiver: Receiver
    ignore_filter: IgnoreFilter
    emitter: Emitter
    people: People
    outbound: Outbound
    media: MediaSubsystem
    hub: SessionHub
    listeners: Listeners
    once: Once
    http: HttpClient
    auth: RequestAuth
    positions: Positions
    minutes: Minutes
    token_uses: TokenUses
    bodies: Bodies
    """The room for requests' bodies."""
    registry: CollectorRegistry
    http_metrics: HttpMetrics
    refusals: Refusals
    checkup: Checkup
    secrets: Secrets
    watching: Watching = field(default_factory=Watching)
    warnings: LastWarnings = field(default_factory=LastWarnings)
    """Of the log."""


def assemble(config: Config, clock: Clock, secrets: Secrets, database: Database, redis: RedisThread) -> Gateway:
    """Make the parts and tie them together; nothing runs yet, and there are no handlers yet."""
    vault = Vault(secrets.secret_keys, clock)
    live, hub = LiveDirectory(database, vault.decrypt), SessionHub(database, clock)
    positions, minutes, registry = Positions(database, clock), Minutes(database, clock), CollectorRegistry()
    handlers: dict[str, Handler] = {}
    router = Router(handlers, max_retries=config.delivery.max_retries)

    def prepare(event: NewEvent, *, client_id: int, without: str) -> Intake | None:
        return emitter.prepare_about(event, client_id=client_id, without=without)

    consumers = _consumers(
        config,
        clock,
        database=database,
        redis=redis,
        handlers=handlers,
        prepare=prepare,
        changed=live.reload,
        done=positions.note_done,
        pulled=positions.note_pulled,
        tried=minutes.tried,
        registry=registry,
    )
    http, providers = http_client(config), Providers(public_url=config.server.public_url)
    shared: dict[str, Any] = {"database": database, "live": live, "providers": providers}
    media = _media(config, clock, router, consumers.ring, vault=vault, http=http, **shared)
    ring, people = _ring(consumers, media), People(database, providers, clock)
    receiver = Receiver(database, router, clock, ring=ring, session_changed=hub.changed, recognize=people.recognize)
    context = _sending(http, media.store, config, router=router, clock=clock, ring=ring, **shared)
    return Gateway(
        checkup=Checkup(clock),
        config=config,
        clock=clock,
        secrets=secrets,
        vault=vault,
        database=database,
        redis=redis,
        live=live,
        handlers=handlers,
        providers=providers,
        consumers=consumers,
        receiver=receiver,
        ignore_filter=IgnoreFilter(database),
        token_uses=TokenUses(database, clock),
        bodies=Bodies(int(config.limits.body_bytes)),
        emitter=(emitter := Emitter(receiver, router, live)),
        people=people,
        outbound=Outbound(context, registry, media.store.file_of, media.voices, probe=consumers.control.probe),
        media=media,
        hub=hub,
        listeners=Listeners(database, clock, most=config.limits.streams),
        once=Once(database, vault, clock),
        positions=positions,
        minutes=minutes,
        http=http,
        auth=RequestAuth(live),
        registry=registry,
        http_metrics=(metrics := HttpMetrics(registry)),
        refusals=Refusals(clock, metrics.refuse, database=database, accounts=lambda: live.now.accounts),
    )


def _ring(consumers: Consumers, media: MediaSubsystem) -> Callable[[Sequence[Stored]], None]:
    """Tell those who work of what was stored."""

    def ring(stored: Sequence[Stored]) -> None:
        consumers.ring(stored)
        media.fetcher.ring(stored)

    return ring


def build_context(gateway: Gateway, plugin: Plugin) -> PluginContext:
    """What this plugin may touch."""

    async def emit(event: NewEvent, *, client_id: int, account: str = "", only: Sequence[Target] | None = None) -> str:
        return await gateway.emitter.emit(event, client_id=client_id, account=account, handler=plugin.name, only=only)

    delivery = gateway.config.delivery
    checked = partial(CheckedPart, plugin.name)
    return PluginContext(
        name=plugin.name,
        settings=plugin.settings,
        public_url=gateway.config.server.public_url,
        version=__version__,
        allow_http=delivery.allow_http,
        max_retries=delivery.max_retries,
        timeout=delivery.timeout,
        http=gateway.http,
        log=structlog.get_logger(f"wagate.plugins.{plugin.name}").bind(plugin=plugin.name),
        clock=gateway.clock,
        folder=partial(plugin_folder, gateway.config.data.dir, plugin.name),
        auth=gateway.auth,
        accounts=Owners(gateway.live),
        endpoints=checked("endpoints", _endpoints(gateway, plugin)),
        deliveries=checked("deliveries", DeliveryLog(gateway.database, gateway.consumers.control)),
        jobs=checked("jobs", gateway.consumers.jobs(plugin.name)),
        messages=checked("messages", gateway.outbound.outbox(plugin.name)),
        media=checked("media", gateway.media.store),
        sessions=AccountSessions(gateway.database, gateway.live, gateway.providers),
        archive=StoredArchive(gateway.database),
        people=KnownPeople(gateway.people, gateway.live),
        watch=_watch(gateway, plugin),
        store=checked("store", PluginStore(plugin.name, gateway.database, gateway.clock)),
        emit=checked_call(plugin.name, "emit", emit),
        encrypt=gateway.vault.encrypt,
        decrypt=gateway.vault.decrypt,
        on_change=lambda listener: gateway.live.on_change(checked_listener(plugin.name, listener)),
    )


def name_among_others(config: Config) -> str:
    """This gateway among others on its database, the same after a restart; '' where there can be no others."""
    shared = bool(config.redis.url and config.database.url)
    return f"{socket.gethostname()}:{config.data.dir.resolve()}" if shared else ""


def _watch(gateway: Gateway, plugin: Plugin) -> Watch:
    holder = name_among_others(gateway.config)
    watch = PluginWatch(plugin.name, gateway.watching, gateway.database, gateway.clock, holder=holder)
    return cast("Watch", CheckedPart(plugin.name, "watch", watch))


def plugin_folder(data: Path, name: str) -> Path:
    """The plugin's own folder, made when it is not there."""
    folder = data / ENGINE / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _endpoints(gateway: Gateway, plugin: Plugin) -> EndpointTable:
    return EndpointTable(
        plugin.name,
        most=gateway.config.limits.webhooks,
        database=gateway.database,
        live=gateway.live,
        control=gateway.consumers.control,
        clock=gateway.clock,
        encrypt=gateway.vault.encrypt,
        decrypt=gateway.vault.decrypt,
    )


def _consumers(config: Config, clock: Clock, *, redis: RedisThread, **parts: Any) -> Consumers:
    """Made of the configuration, and of ``parts`` that the rest has too."""
    depth = config.queue.max_depth
    make = partial(Queue, redis, clock=clock, max_depth=depth, lease=config.queue.lease, process=name_of_process())
    return Consumers(
        Setup(
            **parts,
            clock=clock,
            queue=make,
            push=sharded(make, "push", config.queue.shards, max_depth=depth, clock=clock),
            policy=_policy(config),
            concurrency=config.queue.concurrency,
            max_depth=depth,
            drain=config.server.drain / 2,
            folder=config.data.dir,
            shared=bool(config.redis.url and config.database.url),
            listens=bool(config.redis.url),
        )
    )


def http_client(config: Config) -> HttpClient:
    """The guarded client, as the configuration wants it."""
    delivery, server = config.delivery, config.server
    public = check_url(server.public_url, allow_http=True) if server.public_url else None
    guard = Guard(
        allow_networks=parse_networks(delivery.allow_networks),
        listening=((server.host, server.port),),
        public=None if public is None else (public.host, public.port),
    )
    return HttpClient(guard=guard, allow_http=delivery.allow_http, proxy=delivery.proxy)


def _media(config: Config, clock: Clock, router: Router, ring: Ring, **parts: Any) -> MediaSubsystem:
    """Made of ``parts`` that the rest has too."""
    return make_media(config, clock, routes=router.route_to, ring=ring, **parts)


def _sending(http: HttpClient, media: Media, config: Config, **parts: Any) -> OutboundContext:
    """Made of ``parts`` that the rest has too."""
    recover = config.delivery.recover or PATIENCE
    return OutboundContext(**parts, check_link=partial(check_link, http, media), recover=recover)


async def check_link(http: HttpClient, media: Media, url: str) -> None:
    """May a provider be told to fetch this? Links to files that we hold are ours to give, wherever we are.

    Raises:
        HttpError: it may not.
    """
    if not media.links.are_ours(url):
        await http.check_link(url)


def _policy(config: Config) -> Policy:
    """What ``[delivery]`` says about outcomes."""
    return Policy(
        max_retries=config.delivery.max_retries,
        max_delay=config.delivery.max_delay,
        recover=config.delivery.recover,
        strict=config.delivery.order == "strict",
    )
