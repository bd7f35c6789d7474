"""The plugins' lifespans: each in a task of its own, with a time limit to begin and one to end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import structlog
import trio

from wagate.errors import PluginError
from wagate.hooks.context import PluginContext
from wagate.hooks.providers import Provider
from wagate.plugins.loader import Plugin
from wagate.plugins.wall import broken

START = 30.0
"""Seconds that a lifespan may take until it yields."""
STOP = 5.0
"""Seconds that it may take from there to its end."""

Stopped = Callable[[str, str], None]
"""(plugin or provider, why): its lifespan broke off while the gateway runs."""

log = structlog.get_logger("wagate.plugins")


@asynccontextmanager
async def lifespans(
    plugins: Sequence[Plugin], contexts: Mapping[str, PluginContext], stopped: Stopped
) -> AsyncIterator[None]:
    """Around all traffic: entered before the first delivery, left after the last.

    Raises:
        PluginError: one failed before it yielded, or took too long. Of one that fails later, ``stopped`` is told; one
            that is slow to end is logged.
    """
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        for plugin in plugins:
            for each in plugin.lifespans(contexts[plugin.name]):
                await stack.enter_async_context(_one(plugin.name, each, nursery, stopped))
        yield


@asynccontextmanager
async def provider_lifespans(providers: Sequence[Provider], stopped: Stopped) -> AsyncIterator[None]:
    """The same for providers that have one: entered before the first message is sent, left after the last."""
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        for provider in providers:
            if provider.lifespan is not None:
                await stack.enter_async_context(_one(provider.name, provider.lifespan(), nursery, stopped))
        yield


class _Lifespan:
    """One of them, and how far it is: in a task of its own, since it may open scopes that outlive its start."""

    def __init__(self, plugin: str, manager: AbstractAsyncContextManager[None], stopped: Stopped) -> None:
        self._plugin = plugin
        self._manager = manager
        self._stopped = stopped
        self._leave = trio.Event()
        self.began = trio.Event()
        self.over = trio.Event()
        self.scope = trio.CancelScope()
        self.error: PluginError | None = None
        """Why it is over; None: it came to its end."""

    async def run(self) -> None:
        try:
            with self.scope:
                async with self._manager:
                    self.began.set()
                    await self._leave.wait()
            if not (self._leave.is_set() or self.scope.cancelled_caught):
                self._fail(PluginError(self._plugin, "lifespan ended by itself"))
        except BaseException as error:  # noqa: BLE001  (as `wagate.plugins.wall` has it)
            self._fail(broken(self._plugin, "lifespan", error), exc_info=True)
        finally:
            self.began.set()
            self.over.set()

    def _fail(self, error: PluginError, *, exc_info: bool = False) -> None:
        self.error = error
        log.error("lifespan failed", plugin=self._plugin, error=error.what, exc_info=exc_info)
        if self.began.is_set() and not self._leave.is_set():
            self._stopped(self._plugin, error.what)

    async def begin(self) -> None:
        """Until it has begun. PluginError."""
        with trio.move_on_after(START) as patience:
            await self.began.wait()
        if patience.cancelled_caught:
            raise PluginError(self._plugin, f"lifespan did not start within {START:g} s")
        if self.error is not None:
            raise self.error

    async def end(self) -> None:
        """Let it end; cut it off when it takes too long."""
        self._leave.set()
        if not self.began.is_set():
            self.scope.cancel()
        with trio.move_on_after(STOP, shield=True):
            await self.over.wait()
            return
        log.warning("lifespan cut off", plugin=self._plugin, seconds=STOP)
        self.scope.cancel()


@asynccontextmanager
async def _one(
    plugin: str, manager: AbstractAsyncContextManager[None], nursery: trio.Nursery, stopped: Stopped
) -> AsyncIterator[None]:
    lifespan = _Lifespan(plugin, manager, stopped)
    nursery.start_soon(lifespan.run, name=f"lifespan of {plugin}")
    try:
        await lifespan.begin()
        yield
    finally:
        await lifespan.end()
