"""Names: looked up once, kept, bounded, and a dead one holds nothing that others need."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest
import trio

from tests.receivers import Names
from wagate.http.errors import (
    NameNotFoundError,
)
from wagate.http.owner import REGISTERING, on_behalf_of
from wagate.http.resolve import Resolver

# Names


async def test_a_name_is_looked_up_once_for_many_and_kept_also_when_it_failed() -> None:
    names = Names(a_test=[["127.0.0.1"]])
    resolver = Resolver(names, deadline=60)
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(resolver.addresses, "a.test")
    for _ in range(3):
        with pytest.raises(NameNotFoundError):
            await resolver.addresses("b.test")
    assert names.asked == ["a.test", "b.test"]


async def test_an_answer_is_asked_for_again_when_its_time_is_over(mock_clock: trio.testing.MockClock) -> None:
    names = Names(a_test=[socket.gaierror(-3, "Try again"), ["1.1.1.1"], ["2.2.2.2"]])
    resolver = Resolver(names)
    with pytest.raises(NameNotFoundError, match="try again"):
        await resolver.addresses("a.test")
    mock_clock.jump(31)
    assert [str(address) for address in await resolver.addresses("a.test")] == ["1.1.1.1"]
    mock_clock.jump(29)
    assert [str(address) for address in await resolver.addresses("a.test")] == ["1.1.1.1"]
    mock_clock.jump(2)
    assert [str(address) for address in await resolver.addresses("a.test")] == ["2.2.2.2"]


async def test_a_dead_name_holds_two_threads_at_most_and_none_of_trios_common_ones(
    mock_clock: trio.testing.MockClock,
) -> None:
    release, started = threading.Event(), []
    token = trio.lowlevel.current_trio_token()

    def lookup(host: str) -> Sequence[str]:
        started.append(host)
        if host == "dead.test":
            token.run_sync_soon(mock_clock.jump, 5.0)
            release.wait(60)
        return ["127.0.0.1"]

    resolver = Resolver(lookup, deadline=5.0, keep=0.0)
    try:
        for _ in range(5):
            with pytest.raises(NameNotFoundError, match=r"ENOTFOUND: dead.test: (no answer within|earlier lookups)"):
                await resolver.addresses("dead.test")
        assert started == ["dead.test"] * 2
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        assert [str(address) for address in await resolver.addresses("live.test")] == ["127.0.0.1"]
    finally:
        release.set()


async def test_a_cancelled_look_up_is_taken_over_by_the_next_who_waits() -> None:
    release, first, asked = threading.Event(), trio.Event(), []
    token = trio.lowlevel.current_trio_token()

    def lookup(host: str) -> Sequence[str]:
        asked.append(host)
        if len(asked) == 1:
            token.run_sync_soon(first.set)
            release.wait(60)
        return ["127.0.0.1"]

    resolver = Resolver(lookup, deadline=60)
    answers: list[object] = []

    async def second() -> None:
        answers.append(await resolver.addresses("a.test"))

    try:
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def leader() -> None:
                with scope:
                    await resolver.addresses("a.test")

            nursery.start_soon(leader)
            await first.wait()
            nursery.start_soon(second)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    finally:
        release.set()
    assert len(answers) == 1
    assert len(asked) == 2


async def test_the_names_that_are_kept_are_bounded() -> None:
    resolver = Resolver(lambda host: ["1.1.1.1"], most=10, deadline=60)
    for number in range(50):
        await resolver.addresses(f"h{number}.test")
    assert len(resolver._known) == 10


async def test_dead_names_of_one_client_hold_nothing_of_anothers(mock_clock: trio.testing.MockClock) -> None:
    release = threading.Event()
    token = trio.lowlevel.current_trio_token()
    hanging = []

    def lookup(host: str) -> Sequence[str]:
        if host.startswith("dead"):
            hanging.append(host)
            if len(hanging) == 2:
                token.run_sync_soon(mock_clock.jump, 5.0)
            release.wait(60)
        return ["127.0.0.1"]

    resolver = Resolver(lookup, deadline=5.0, threads=2)
    try:
        with on_behalf_of(1):
            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(not_found, resolver, f"dead{number}.test")
        with on_behalf_of(2):
            assert [str(each) for each in await resolver.addresses("well.test")] == ["127.0.0.1"]
        assert [str(each) for each in await resolver.addresses("registered.test")] == ["127.0.0.1"]
    finally:
        release.set()


class DeadNames:
    """A look-up that hangs for names that begin so."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.running: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        if host.startswith("dead"):
            self.running.append(host)
            self.release.wait(60)
        return ["127.0.0.1"]


async def test_dead_names_of_some_clients_leave_a_thread_for_the_next() -> None:
    lookup = DeadNames()

    async def look(client: int, number: int) -> None:
        with on_behalf_of(client):
            await resolver.addresses(f"dead{client}-{number}.test")

    resolver = Resolver(lookup, deadline=60.0, total=16)
    async with trio.open_nursery() as nursery:
        # Whoever comes first takes half of what is free: 8, 4, 2 and 1 of 16.
        for client in range(4):
            for number in range(10):
                nursery.start_soon(look, client, number)
        await trio.testing.wait_all_tasks_blocked(0.1)
        try:
            assert len(lookup.running) < 16
            with on_behalf_of(99), trio.fail_after(30):
                assert [str(each) for each in await resolver.addresses("well.test")] == ["127.0.0.1"]
        finally:
            lookup.release.set()


async def test_what_a_client_registers_waits_for_none_of_its_deliveries() -> None:
    lookup = DeadNames()
    resolver = Resolver(lookup, deadline=60.0, threads=2)
    with on_behalf_of(1):
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(resolver.addresses, f"dead{number}.test")
            await trio.testing.wait_all_tasks_blocked(0.1)
            try:
                assert len(lookup.running) == 2
                REGISTERING.set(True)
                with trio.fail_after(30):
                    assert [str(each) for each in await resolver.addresses("registered.test")] == ["127.0.0.1"]
            finally:
                REGISTERING.set(False)
                lookup.release.set()


async def test_why_a_name_was_not_found_for_one_client_is_not_anothers_answer() -> None:
    names = Names(a_test=[socket.gaierror(socket.EAI_AGAIN, "Try again"), ["1.1.1.1"]])
    resolver = Resolver(names, deadline=60)
    with on_behalf_of(1):
        await not_found(resolver, "a.test")
    with on_behalf_of(2):
        assert [str(each) for each in await resolver.addresses("a.test")] == ["1.1.1.1"]
    with on_behalf_of(3):
        assert [str(each) for each in await resolver.addresses("a.test")] == ["1.1.1.1"]
    assert names.asked == ["a.test", "a.test"]


async def test_the_last_answer_stands_in_while_the_name_servers_are_away(mock_clock: trio.testing.MockClock) -> None:
    away = [socket.gaierror(socket.EAI_AGAIN, "Try again")]
    gone = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolver = Resolver(Names(a_test=[["1.1.1.1"], *away * 2, gone]), stale=100)
    for passed in (0, 31, 31):
        mock_clock.jump(passed)
        assert [str(each) for each in await resolver.addresses("a.test")] == ["1.1.1.1"]
    mock_clock.jump(31)
    await not_found(resolver, "a.test")


async def not_found(resolver: Resolver, host: str) -> None:
    with pytest.raises(NameNotFoundError):
        await resolver.addresses(host)
