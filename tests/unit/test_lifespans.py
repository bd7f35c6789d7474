"""Lifespans begin in order and end in the reverse one, each within its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pluggy
import pytest
import trio
import trio.testing

from tests.bad_plugin import plugin as module_of
from wagate.context.watch import Watching
from wagate.errors import PluginError
from wagate.hooks.specs import PROJECT, Hooks
from wagate.plugins.loader import Plugin
from wagate.process.lifespans import START, lifespans
from wagate.testing import fake_context

Manager = Callable[[], AbstractAsyncContextManager[None]]


def running(watching: Watching | None = None, /, **managers: Manager) -> AbstractAsyncContextManager[None]:
    """The lifespans of plugins by name."""
    registry = pluggy.PluginManager(PROJECT)
    registry.add_hookspecs(Hooks)
    for name, manager in managers.items():
        registry.register(module_of(lifespan=_hook(manager)), name)
    plugins = [Plugin(name, None, registry) for name in managers]
    contexts = {name: fake_context(name).context for name in managers}
    return lifespans(plugins, contexts, (watching or Watching()).stopped)


def _hook(manager: Manager) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    return lambda context: manager()


async def test_the_first_to_begin_is_the_last_to_end() -> None:
    seen = []

    def named(name: str) -> Manager:
        @asynccontextmanager
        async def manager() -> AsyncIterator[None]:
            seen.append(f"{name} begins")
            # A nursery that outlives the start, as plugins open it.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield
                nursery.cancel_scope.cancel()
            seen.append(f"{name} ends")

        return manager

    async with running(a=named("a"), b=named("b")):
        assert seen == ["a begins", "b begins"]
    assert seen[2:] == ["b ends", "a ends"]


async def test_one_that_does_not_begin_in_time_stops_the_start_and_ends_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ended = []

    @asynccontextmanager
    async def good() -> AsyncIterator[None]:
        yield
        ended.append("good")

    @asynccontextmanager
    async def hangs() -> AsyncIterator[None]:
        await trio.sleep_forever()
        yield

    with pytest.RaisesGroup(
        pytest.RaisesExc(PluginError, match=rf"^plugin bad: lifespan did not start within {START:g} s$")
    ):
        async with running(good=good, bad=hangs):
            pytest.fail("it began")
    assert ended == ["good"]
    assert trio.current_time() == START


async def test_one_that_raises_when_it_ends_costs_the_others_nothing() -> None:
    ended = []

    @asynccontextmanager
    async def good() -> AsyncIterator[None]:
        yield
        ended.append("good")

    @asynccontextmanager
    async def breaks() -> AsyncIterator[None]:
        yield
        raise SystemExit(1)

    async with running(good=good, bad=breaks):
        pass
    assert ended == ["good"]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_what_goes_wrong_at_the_end_is_no_trouble(
    autojump_clock: trio.testing.MockClock, *, cancelled: bool
) -> None:
    watching = Watching()

    @asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        yield
        if cancelled:
            await trio.sleep_forever()
        raise KeyError("at its end")

    async with running(watching, fine=manager):
        pass
    assert watching.troubles == {}


async def test_one_whose_own_nursery_is_cancelled_has_broken_off() -> None:
    watching, ends = Watching(), trio.Event()

    @asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:

            async def later() -> None:
                await ends.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(later)
            yield

    async with running(watching, bad=manager):
        ends.set()
        await trio.testing.wait_all_tasks_blocked()
        assert watching.troubles["bad"].startswith("lifespan ended by itself")


async def test_one_that_breaks_off_while_the_gateway_runs_is_told_whatever_it_says_itself() -> None:
    watching, breaks = Watching(), trio.Event()

    @asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        async def later() -> None:
            await breaks.wait()
            raise KeyError("nothing to see here")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            yield

    async with running(watching, bad=manager):
        assert watching.troubles == {}
        breaks.set()
        await trio.testing.wait_all_tasks_blocked()
        watching.tell("bad", "")
        assert set(watching.troubles) == {"bad"}
        assert "lifespan raised KeyError" in watching.troubles["bad"]
        assert "until the gateway is restarted" in watching.troubles["bad"]
        assert "nothing to see here" not in watching.troubles["bad"]
