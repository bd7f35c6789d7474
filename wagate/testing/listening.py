"""For authors of providers that listen without webhooks: an inlet that notes, and what such a provider is held to.

``ListeningContract`` is a class of tests: subclass it, say how your provider is made and how somebody writes to it, and
pytest (with pytest-trio) runs them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import trio

from wagate.errors import StorageError
from wagate.events import NewEvent, SessionChange
from wagate.hooks import Provider, ProviderAccount

PATIENCE: Final = 60.0


class FakeInlet:
    """`wagate.hooks.Inlet`: keeps what it is given, and drops duplicates as the gateway does."""

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        """What was taken in, without duplicates."""
        self.archived: list[NewEvent] = []
        """Of the past."""
        self.read: list[tuple[str, int]] = []
        """Chats that were read elsewhere, and how many events were taken in before that."""
        self.states: list[SessionChange] = []
        self.phone = ""
        self.full = 0
        """So many of the next `take` fail: the disk is full."""
        self.refused = 0
        """How many did."""
        self._changed = trio.Event()

    async def take(self, events: Sequence[NewEvent]) -> None:
        """Take them in, all or none."""
        await trio.lowlevel.checkpoint()
        if self.full:
            self.full -= 1
            self.refused += 1
            self._wake()
            raise StorageError("the disk is full")
        known = {_key(each) for each in self.events if each.provider_id}
        self.events += [each for each in events if not each.provider_id or _key(each) not in known]
        self._wake()

    async def archive(self, events: Sequence[NewEvent]) -> None:
        """Note them."""
        await trio.lowlevel.checkpoint()
        self.archived += events
        self._wake()

    async def state(self, change: SessionChange, **_details: Any) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        self.states.append(change)
        self._wake()

    async def seen(self, chat: str) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        self.read.append((chat, len(self.events)))
        self._wake()

    async def number(self, phone: str) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        self.phone = phone
        self._wake()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until something is so. TooSlowError after a minute."""
        with trio.fail_after(PATIENCE):
            while not there():
                await self._changed.wait()

    @property
    def texts(self) -> list[str]:
        """What was written, in order."""
        return [each.content for each in self.events if each.kind in {"message", "message.any"}]

    def _wake(self) -> None:
        woken, self._changed = self._changed, trio.Event()
        woken.set()


class ListeningContract(ABC):
    """What holds for every provider that listens without webhooks."""

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> tuple[Provider, ProviderAccount, Callable[[str], Awaitable[None]]]:
        """A provider, an account of it that is linked or needs no linking, and a function by which somebody writes."""

    async def test_what_is_heard_is_taken_in_in_order(self) -> None:
        """Ten messages, in the order in which they were written."""
        async with AsyncExitStack() as stack:
            provider, account, write = await self._opened(stack)
            inlet = FakeInlet()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run, provider, account, inlet)
                for number in range(10):
                    await write(f"line {number}")
                await inlet.until(lambda: len(inlet.texts) >= 10)
                nursery.cancel_scope.cancel()
        assert inlet.texts == [f"line {number}" for number in range(10)]

    async def test_what_could_not_be_stored_comes_again(self) -> None:
        """StorageError ends ``run``; when it runs again, it begins with what was not stored."""
        async with AsyncExitStack() as stack:
            provider, account, write = await self._opened(stack)
            inlet = FakeInlet()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run_for_ever, provider, account, inlet)
                await write("before")
                await inlet.until(lambda: "before" in inlet.texts)
                inlet.full = 1
                await write("while the disk is full")
                await inlet.until(lambda: inlet.refused == 1)
                await write("after")
                await inlet.until(lambda: "after" in inlet.texts)
                nursery.cancel_scope.cancel()
        assert inlet.texts == ["before", "while the disk is full", "after"]

    async def test_what_comes_while_it_does_not_run_comes_when_it_does(self) -> None:
        """A pause of ``run``, as between two starts, loses nothing."""
        async with AsyncExitStack() as stack:
            provider, account, write = await self._opened(stack)
            inlet = FakeInlet()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run, provider, account, inlet)
                await write("one")
                await inlet.until(lambda: inlet.texts == ["one"])
                nursery.cancel_scope.cancel()
            await write("two")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run, provider, account, inlet)
                await inlet.until(lambda: inlet.texts == ["one", "two"])
                nursery.cancel_scope.cancel()

    async def _opened(
        self, stack: AsyncExitStack
    ) -> tuple[Provider, ProviderAccount, Callable[[str], Awaitable[None]]]:
        provider, account, write = await self.open(stack)
        assert provider.listens
        if provider.lifespan is not None:
            await stack.enter_async_context(provider.lifespan())
        return provider, account, write


def _key(event: NewEvent) -> tuple[str, str, str]:
    return event.dedupe_kind or event.kind, event.provider_id, event.variant


async def _run(provider: Provider, account: ProviderAccount, inlet: FakeInlet) -> None:
    assert provider.run is not None
    await provider.run(account, inlet)


async def _run_for_ever(provider: Provider, account: ProviderAccount, inlet: FakeInlet) -> None:
    """As the gateway does, without its pauses."""
    while True:
        try:
            await _run(provider, account, inlet)
        except* StorageError:
            await trio.lowlevel.checkpoint()
