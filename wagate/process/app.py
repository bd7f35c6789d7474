"""The whole process, read top to bottom. The indentation of `serve` is the order in which it shuts down."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import structlog
import trio

from wagate import __version__
from wagate.clock import Clock
from wagate.config import Config, convert_settings, load
from wagate.config.lock import hold
from wagate.config.secrets import TOKEN_FILE, Secrets, open_secrets
from wagate.consumers.tasks import supervise
from wagate.errors import WagateError
from wagate.hooks.context import PluginContext
from wagate.hooks.contracts import Handler
from wagate.inbound.catch_up import CatchUp
from wagate.inbound.listen import Holding, Listening
from wagate.outbound.carried import Carrier
from wagate.outbound.context import OUTBOUND
from wagate.outbound.errands import Errands
from wagate.plugins.loader import Plugin, load_plugins, load_providers, unique_handlers, with_secrets
from wagate.process import nowhere
from wagate.process.assemble import Gateway, assemble, build_context, name_among_others
from wagate.process.configured_accounts import put_owners, read_accounts
from wagate.process.files import raise_file_limit
from wagate.process.hard_end import GRACE, HardEnd
from wagate.process.http_side import serve_edge
from wagate.process.keys import check_keys
from wagate.process.lifespans import lifespans, provider_lifespans
from wagate.process.logs import Hide, configure_logs
from wagate.process.maintenance import Heap, keep_one_heap, upkeep_tasks, written_down
from wagate.process.reload import Reload
from wagate.process.running_clock import RunningClock
from wagate.process.watchdog import watching
from wagate.queue.cluster import open_redis
from wagate.queue.redis import RedisThread, check_policy
from wagate.queue.valkey.supervise import embedded_valkey
from wagate.storage.database import open_database
from wagate.storage.deliveries.targets import known_handlers
from wagate.storage.idempotency import forget_running
from wagate.storage.minutes import RESERVED
from wagate.storage.upkeep.reencrypt import reencrypt
from wagate.web.ui.warnings import LastWarnings

log = structlog.get_logger("wagate")

GC_THRESHOLDS = (20_000, 20, 20)
"""The collector runs after so many new objects, a third of the time that it takes by Python's own 700."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What `serve` reports when it answers."""

    urls: list[str]
    """Where it listens."""
    secrets: Secrets
    """With what was made at this start, to be shown once."""
    reload: Reload
    """Takes up a changed configuration."""


def run(config_path: Path | None, without: Sequence[str] = ()) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. What stops it from starting is one line on stderr.

    ``without``: plugins that are left out.
    """
    code = 0
    os.umask(0o077)
    try:
        config = load(config_path, without=without)
        warnings = LastWarnings()
        hide = configure_logs(config.log.level, config.log.format, config.secrets, warnings=warnings)
        if os.geteuid() == 0:
            log.warning("running as root: anyone who takes over the gateway has the machine; use a user of its own")
        raise_file_limit()
        keep_one_heap()
        trio.run(_serve_until_signalled, config, hide, warnings, strict_exception_groups=True, clock=RunningClock())
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
    hide: Hide = lambda _secrets: None,
    warnings: LastWarnings | None = None,
    task_status: trio.TaskStatus[Started] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the gateway until ``stop`` is set, then drain. ``hide`` keeps secrets out of the log that come later.

    ``warnings``: what the dashboard shows of the log.

    Raises:
        ConfigError, AlreadyRunningError, StorageError, QueueError: it can't start; the message says why.
    """
    clock = clock or Clock()
    plugins = load_plugins(config.plugins, partial(_convert, config), file=config.file)
    config = with_secrets(config, plugins)
    hide(config.secrets)
    with hold(config.data.dir, port=config.server.port):
        secrets = open_secrets(config)
        async with open_database(config.database.url, config.data.dir) as database, _open_redis(config) as redis:
            gateway = assemble(config, clock, secrets, database, redis)
            gateway = gateway if warnings is None else replace(gateway, warnings=warnings)
            contexts = {plugin.name: build_context(gateway, plugin) for plugin in plugins}
            load_providers(plugins, partial(build_context, gateway), gateway.providers)
            errands = _errands(gateway)
            errands.route()
            await check_keys(gateway)
            accounts = read_accounts(config, gateway.providers)
            await database.write(put_owners, accounts, gateway.vault.encrypt, now=clock.now())
            if not config.database.url:
                # It lies in the folder that we hold: whoever answered these requests is dead, and they may come again.
                await database.write(forget_running)
            await _use_first_key(gateway)
            gateway.handlers.update(await _handlers(gateway, plugins, contexts))
            gateway.outbound.ask(each.choose_account for each in plugins if "choose_account" in each.implements())
            await gateway.live.reload()
            await nowhere.tell(gateway)
            if not config.redis.url:
                # We have the folder's lock: whoever held keys in its Valkey is dead.
                await gateway.consumers.take_over()
            async with (
                lifespans(plugins, contexts, gateway.watching.stopped),
                provider_lifespans(gateway.providers.all, gateway.watching.stopped),
                errands.running(),
                written_down(gateway.minutes, gateway.refusals, gateway.token_uses),
                gateway.consumers.running(),
                _tasks(gateway, plugins, contexts),
                trio.open_nursery() as edges,
            ):
                reload = Reload(gateway, plugins, contexts, hide=hide)
                listening = _listening(gateway)
                gateway.consumers.elsewhere.asks = partial(_elsewhere, listening)
                errands.elsewhere = listening.elsewhere
                edges.start_soon(partial(listening.run, stop=stop))
                urls = await edges.start(partial(serve_edge, gateway, plugins, contexts, stop=stop, reload=reload))
                task_status.started(Started(urls=urls, secrets=secrets, reload=reload))


@asynccontextmanager
async def _open_redis(config: Config) -> AsyncIterator[RedisThread]:
    """The Redis that the configuration names, else the embedded one. Refused unless it never evicts."""
    async with AsyncExitStack() as stack:
        url = config.redis.url
        if not url:
            url = (await stack.enter_async_context(embedded_valkey(config.data.dir))).url
        redis = open_redis(url)
        stack.push_async_callback(redis.close)
        await check_policy(redis)
        yield redis


async def _use_first_key(gateway: Gateway) -> None:
    """With several keys, what is stored goes over to the first, so that the others can be dropped."""
    if len(gateway.secrets.secret_keys) > 1:
        changed = await gateway.database.write(reencrypt, gateway.vault.rotate)
        log.info("stored secrets use the first key now", changed=changed)


def _convert(config: Config, kind: type[msgspec.Struct], table: Mapping[str, Any], key: str) -> msgspec.Struct:
    return convert_settings(kind, table, file=str(config.file), key=key)


async def _handlers(
    gateway: Gateway, plugins: list[Plugin], contexts: Mapping[str, PluginContext]
) -> dict[str, Handler]:
    registered = [plugin.gather("register_handlers", context=contexts[plugin.name]) for plugin in plugins]
    known = await gateway.database.read(known_handlers, RESERVED)
    return unique_handlers(chain([gateway.outbound.handler], *registered), known)


def _listening(gateway: Gateway) -> Listening:
    """What runs the providers that need no webhook."""
    name = name_among_others(gateway.config)
    return Listening(
        providers=gateway.providers,
        live=gateway.live,
        receiver=gateway.receiver,
        ignore_filter=gateway.ignore_filter,
        database=gateway.database,
        clock=gateway.clock,
        holding=Holding(gateway.database, gateway.clock, name) if name else None,
    )


def _errands(gateway: Gateway) -> Errands:
    """What is done where an account is held."""
    return Errands(
        name=name_among_others(gateway.config),
        redis=gateway.redis,
        database=gateway.database,
        vault=gateway.vault,
        providers=gateway.providers,
        live=gateway.live,
        clock=gateway.clock,
        carrier=Carrier(files=gateway.media.files, most=int(gateway.config.media.max_size)),
    )


def _elsewhere(listening: Listening, target: str) -> bool:
    """Whether what goes to a target has to leave from another process."""
    handler, _, account_id = target.partition(":")
    return handler == OUTBOUND and listening.elsewhere(account_id)


@asynccontextmanager
async def _tasks(gateway: Gateway, plugins: list[Plugin], contexts: Mapping[str, PluginContext]) -> AsyncIterator[None]:
    """Upkeep and the plugins' own tasks, each restarted with backoff when it fails."""
    upkeep = upkeep_tasks(
        gateway.config,
        gateway.database,
        gateway.live,
        gateway.clock,
        session_changed=gateway.hub.changed,
        media=gateway.media,
        tokens=gateway.token_uses,
        heap=Heap(gateway.bodies),
        minutes=gateway.minutes,
        refusals=gateway.refusals,
    )
    with watching() as watchdog:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watchdog.beat)
            nursery.start_soon(supervise, "sessions", gateway.hub.run, gateway.clock)
            nursery.start_soon(supervise, "listeners", gateway.listeners.run, gateway.clock)
            nursery.start_soon(supervise, "outbound", gateway.outbound.run, gateway.clock)
            nursery.start_soon(supervise, "checkup", gateway.checkup.run, gateway.clock)
            nursery.start_soon(supervise, "positions", gateway.positions.run, gateway.clock)
            catch_up = CatchUp(
                gateway.providers,
                lambda: gateway.live.now,
                gateway.receiver,
                gateway.database,
                gateway.clock,
                ignore_filter=gateway.ignore_filter,
            )
            nursery.start_soon(supervise, "catch_up", catch_up.watch, gateway.clock)
            for name, task in upkeep.items():
                nursery.start_soon(supervise, name, task, gateway.clock)
            for plugin in plugins:
                for each in plugin.gather("register_tasks", context=contexts[plugin.name]):
                    nursery.start_soon(partial(supervise, plugin.name, each, gateway.clock, plugin=plugin.name))
            yield
            nursery.cancel_scope.cancel()


async def _serve_until_signalled(config: Config, hide: Hide, warnings: LastWarnings) -> None:
    stop, up, end = trio.Event(), trio.Event(), HardEnd(config.server.drain + GRACE)
    on_terminal, reloads = os.isatty(0), list[Reload]()

    def terminal_closed() -> bool:
        if closed := on_terminal and not os.isatty(0):
            log.info("stopping", signal=int(signal.SIGHUP), drain=True)
            end.arm()
            stop.set()
        return closed

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_at_signal, stop, end)
        nursery.start_soon(_end_after, stop, end)
        with trio.open_signal_receiver(signal.SIGHUP) as hangups:
            async with trio.open_nursery() as serving:
                nursery.start_soon(_give_up_start, stop, up, serving.cancel_scope)
                nursery.start_soon(_reload_at_signal, hangups, up, reloads, terminal_closed)
                started = await serving.start(partial(serve, config, stop=stop, hide=hide, warnings=warnings))
                reloads.append(started.reload)
                up.set()
                _settle_memory()
                log.info(
                    "serving", urls=started.urls, version=__version__, pid=os.getpid(), config=_config_in_use(config)
                )
                _greet(config, started)
            log.info("stopped")
            nursery.cancel_scope.cancel()


async def _end_after(stop: trio.Event, end: HardEnd) -> None:
    """A stop that the API asked for has an end as well."""
    await stop.wait()
    end.arm()


async def _reload_at_signal(
    hangups: AsyncIterator[int], up: trio.Event, reloads: list[Reload], terminal_closed: Callable[[], bool]
) -> None:
    """Reload, or stop when the terminal is gone: during the start, too, in which a plugin may hang."""
    async for _ in hangups:
        if terminal_closed():
            return
        await up.wait()
        try:
            await reloads[0]({})
        except WagateError as error:
            log.warning("configuration refused, the old one goes on", reasons=str(error).splitlines())
        except Exception:  # (the task's edge: no plugin's fault in reading it may end the gateway)
            log.exception("configuration refused, the old one goes on")


def _config_in_use(config: Config) -> str:
    """The file, or that there is none and where the data are then."""
    if config.file.exists():
        return str(config.file)
    others = sorted(config.file.parent.glob("*/config.toml"))[:3]
    hint = f"; for another one: wagate serve --config {others[0].relative_to(config.file.parent)}" if others else ""
    return f"no config.toml in {config.file.parent}: all defaults, data in {config.data.dir}{hint}"


async def _give_up_start(stop: trio.Event, up: trio.Event, start: trio.CancelScope) -> None:
    """End a start that is asked to stop: a plugin may hang in it, and nothing is there to be drained."""
    async with trio.open_nursery() as either:

        async def until(event: trio.Event) -> None:
            await event.wait()
            either.cancel_scope.cancel()

        either.start_soon(until, stop)
        either.start_soon(until, up)
    if not up.is_set():
        start.cancel()


def _settle_memory() -> None:
    """What is there now stays: the collector need not look at it again, nor so often at what comes and goes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _stop_at_signal(stop: trio.Event, end: HardEnd) -> None:
    """The first signal changes nothing while a stop runs that the API or the closed terminal began."""
    both, signalled = (signal.SIGTERM, signal.SIGINT), False
    with trio.open_signal_receiver(*both) as signals, end.armed_by(*both):
        async for number in signals:
            if signalled:
                log.warning("stopping at once", signal=number)
                os._exit(1)  # the second signal is a crash, which loses nothing
            signalled = True
            log.info("stopping", signal=number, drain=True)
            stop.set()


def _greet(config: Config, started: Started) -> None:
    """What a person sees first: where the page is, how to sign in, how to connect a number."""
    if "admin_token" in started.secrets.made:
        token = f"admin token, shown only once and kept in {config.data.dir}: {started.secrets.admin_token}"
    else:
        kept = "auth.admin_token" if config.auth.admin_token else config.data.dir / TOKEN_FILE
        token = f"admin token: {kept}"
    lines = [
        f"wagate {__version__} listens on {started.urls[0]} (configuration: {_config_in_use(config)})",
        f"dashboard: {config.server.public_url or _from_here(started.urls[0])}/ui/ - sign in with the {token}",
        "connect a number there, or with: wagate pair main - try it without WhatsApp: wagate simulate message",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _from_here(url: str) -> str:
    """The URL of one who listens on all addresses, for this machine: no browser need open 0.0.0.0."""
    return url.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")


def _leaves(group: BaseExceptionGroup[WagateError]) -> list[WagateError]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]
