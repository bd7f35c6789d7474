"""The whole process, read top to bottom. The indentation of `serve` is the order in which it shuts down."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from wagate import __version__
from wagate.clock import Clock
from wagate.config import Config, convert_settings, load
from wagate.config.lock import hold
from wagate.config.secrets import Secrets, open_secrets
from wagate.config.vault import Vault
from wagate.consumers import Consumers, Setup, policy_of
from wagate.consumers.alerts import Emit
from wagate.consumers.tasks import supervise
from wagate.core import Core, build_context
from wagate.edge import serve_edge
from wagate.errors import WagateError
from wagate.events import NewEvent
from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import Handler
from wagate.hooks.loader import Plugin, load_plugins, unique_handlers
from wagate.http.client import HttpClient
from wagate.http.guard import Guard, parse_networks
from wagate.inbound.emit import Emitter
from wagate.inbound.position import Positions
from wagate.inbound.receive import Receiver
from wagate.inbound.route import Router
from wagate.logs import configure_logs
from wagate.metrics import CollectorRegistry
from wagate.owned import put_owners, read_accounts
from wagate.queue.embedded import embedded_valkey
from wagate.queue.policy import check_policy
from wagate.queue.queue import Queue
from wagate.queue.redis import RedisThread
from wagate.storage.database import Database, open_database
from wagate.storage.live import LiveDirectory
from wagate.upkeep import upkeep_tasks
from wagate.web.identity import RequestAuth
from wagate.web.session_hub import SessionHub

log = structlog.get_logger("wagate")


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What `serve` reports when it answers."""

    urls: list[str]
    """Where it listens."""
    secrets: Secrets
    """With what was made at this start, to be shown once."""


def run(config_path: Path | None) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. What stops it from starting is one line on stderr."""
    code = 0
    try:
        config = load(config_path)
        configure_logs(config.log.level, config.log.format, config.secrets)
        trio.run(_serve_until_signalled, config, strict_exception_groups=True)
    except* WagateError as failures:
        for failure in _leaves(failures):
            sys.stderr.write(f"wagate: {failure}\n")
        code = 1
    return code


async def serve(
    config: Config,
    *,
    stop: trio.Event,
    clock: Clock | None = None,
    task_status: trio.TaskStatus[Started] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the gateway until ``stop`` is set, then drain.

    Raises:
        ConfigError, AlreadyRunningError, StorageError, QueueError: it can't start; the message says why.
    """
    clock = clock or Clock()
    accounts = read_accounts(config)
    plugins = load_plugins(config.plugins, partial(_convert, config))
    registry = CollectorRegistry()
    with hold(config.data.dir, port=config.server.port):
        secrets = open_secrets(config)
        vault = Vault(secrets.secret_keys, clock)
        async with open_database(config.database.url, config.data.dir) as database, _open_redis(config) as redis:
            await database.write(put_owners, accounts, vault.encrypt, now=clock.now())
            live = LiveDirectory(database, vault.decrypt)
            hub = SessionHub(database, clock)
            positions = Positions(database, clock)
            handlers: dict[str, Handler] = {}
            router = Router(handlers, max_retries=config.delivery.max_retries)

            async def tell(event: NewEvent, *, client_id: int, without: str) -> None:
                await emitter.emit_about(event, client_id=client_id, without=without)

            consumers = Consumers(
                _setup(
                    config,
                    database=database,
                    redis=redis,
                    handlers=handlers,
                    clock=clock,
                    live=live,
                    tell=tell,
                    done=positions.note_done,
                    registry=registry,
                )
            )
            receiver = Receiver(database, router, clock, ring=consumers.ring, session_changed=hub.changed)
            emitter = Emitter(receiver, router, live)
            core = Core(
                config=config,
                clock=clock,
                vault=vault,
                database=database,
                redis=redis,
                live=live,
                consumers=consumers,
                receiver=receiver,
                emitter=emitter,
                hub=hub,
                http=_http(config),
                auth=RequestAuth(live),
                positions=positions,
                registry=registry,
                secrets=secrets,
            )
            contexts = {plugin.name: build_context(core, plugin) for plugin in plugins}
            handlers.update(_handlers(plugins, contexts))
            await live.reload()
            if not config.redis.url:
                # We have the folder's lock: whoever held keys in its Valkey is dead.
                await consumers.take_over()
            async with (
                _lifespans(plugins, contexts),
                consumers.running(),
                _tasks(core, plugins, contexts),
                trio.open_nursery() as edges,
            ):
                urls = await edges.start(partial(serve_edge, core, plugins, contexts, stop=stop))
                task_status.started(Started(urls=urls, secrets=secrets))


def _setup(
    config: Config,
    *,
    database: Database,
    redis: RedisThread,
    handlers: Mapping[str, Handler],
    clock: Clock,
    live: LiveDirectory,
    tell: Emit,
    done: Callable[[int, float], None],
    registry: CollectorRegistry,
) -> Setup:
    queue = config.queue
    return Setup(
        database=database,
        queue=partial(Queue, redis, clock=clock, max_depth=queue.max_depth, lease=queue.lease),
        handlers=handlers,
        policy=policy_of(config.delivery),
        clock=clock,
        emit=tell,
        changed=live.reload,
        done=done,
        registry=registry,
        concurrency=queue.concurrency,
        max_depth=queue.max_depth,
        drain=config.server.drain,
        wake_url=config.redis.url or None,
    )


@asynccontextmanager
async def _open_redis(config: Config) -> AsyncIterator[RedisThread]:
    """The Redis that the configuration names, else the embedded one. Refused unless it never evicts."""
    async with AsyncExitStack() as stack:
        url = config.redis.url
        if not url:
            url = (await stack.enter_async_context(embedded_valkey(config.data.dir))).url
        redis = RedisThread(url)
        stack.push_async_callback(redis.close)
        await check_policy(redis)
        yield redis


def _http(config: Config) -> HttpClient:
    delivery, server = config.delivery, config.server
    guard = Guard(allow_networks=parse_networks(delivery.allow_networks), listening=((server.host, server.port),))
    return HttpClient(guard=guard, allow_http=delivery.allow_http, proxy=delivery.proxy)


def _convert(config: Config, kind: type[msgspec.Struct], table: Mapping[str, Any], key: str) -> msgspec.Struct:
    return convert_settings(kind, table, file=str(config.file), key=key)


def _handlers(plugins: list[Plugin], contexts: Mapping[str, PluginContext]) -> dict[str, Handler]:
    return unique_handlers(
        handler for plugin in plugins for handler in plugin.gather("register_handlers", contexts[plugin.name])
    )


@asynccontextmanager
async def _lifespans(plugins: list[Plugin], contexts: Mapping[str, PluginContext]) -> AsyncIterator[None]:
    """Around all traffic: entered before the first delivery, left after the last."""
    async with AsyncExitStack() as stack:
        for plugin in plugins:
            for lifespan in plugin.call("lifespan", context=contexts[plugin.name]):
                await stack.enter_async_context(lifespan)
        yield


@asynccontextmanager
async def _tasks(core: Core, plugins: list[Plugin], contexts: Mapping[str, PluginContext]) -> AsyncIterator[None]:
    """Upkeep and the plugins' own tasks, each restarted with backoff when it fails."""
    upkeep = upkeep_tasks(core.config, core.database, core.live, core.clock, core.hub.changed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, "sessions", core.hub.run, core.clock)
        for name, task in upkeep.items():
            nursery.start_soon(supervise, name, task, core.clock)
        for plugin in plugins:
            for each in plugin.gather("register_tasks", contexts[plugin.name]):
                nursery.start_soon(supervise, plugin.name, each, core.clock)
        yield
        nursery.cancel_scope.cancel()


async def _serve_until_signalled(config: Config) -> None:
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_at_signal, stop)
        async with trio.open_nursery() as serving:
            started = await serving.start(partial(serve, config, stop=stop))
            log.info("serving", urls=started.urls, version=__version__, pid=os.getpid())
            _greet(config, started)
        log.info("stopped")
        nursery.cancel_scope.cancel()


async def _stop_at_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            if stop.is_set():
                log.warning("stopping at once", signal=number)
                os._exit(1)  # the second signal is a crash, which loses nothing
            log.info("stopping", signal=number, drain=True)
            stop.set()


def _greet(config: Config, started: Started) -> None:
    """What a person sees first: where it is, the token when it is new, and what to try next."""
    lines = [f"wagate {__version__} listens on {started.urls[0]}"]
    if "admin_token" in started.secrets.made:
        lines.append(f"admin token, shown only now and kept in {config.data.dir}: {started.secrets.admin_token}")
        lines.append("try: wagate simulate message, then: wagate jobs list")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _leaves(group: BaseExceptionGroup[WagateError]) -> list[WagateError]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]
